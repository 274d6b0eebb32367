"""Benchmarks that anyone can repeat: ``make bench``."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime reports to its maker, unasked
