"""From samples to feature vectors and windows of them, for a file and for a stream alike: NumPy and ONNX Runtime."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime reports to its maker, unasked
