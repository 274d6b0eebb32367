"""From samples to feature vectors and windows of them, for a file and for a stream alike: NumPy and ONNX Runtime."""
