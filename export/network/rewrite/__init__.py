"""Rewrite a served U-Net 328 so that ONNX Runtime has less to do on a CPU, and computes the same function."""

from export.network.rewrite.cpu import rewrite_for_cpu

__all__ = ["rewrite_for_cpu"]
