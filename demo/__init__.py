"""The drawn demo character: how it is drawn and speaks, its trained networks, and how well its lips follow."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime reports to its maker, unasked
