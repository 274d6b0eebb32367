"""The networks that come with the demo, trained on its character; MODEL_CARD.md says how, and how well they speak."""

from __future__ import annotations

from pathlib import Path

__all__ = ["AUDIO_ENCODER_PATH", "UNET_PATH"]

UNET_PATH = Path(__file__).with_name("unet.onnx")
"""The half-width U-Net 328, as it is served: uint8 pictures and ave features in, uint8 pictures out."""

AUDIO_ENCODER_PATH = Path(__file__).with_name("audio_encoder.onnx")
"""From mel windows to ave features."""
