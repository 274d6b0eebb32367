"""What a person brings, to what Triton serves: footage, networks and the model repository, with commands on top."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime reports to its maker, unasked
