"""U-Nets and audio encoders: PyTorch, checkpoints, verified ONNX, its rewriting for CPUs, TensorRT engines."""
