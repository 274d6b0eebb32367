"""demo/weights.py"""

from __future__ import annotations

import numpy as np
import onnxruntime

from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.network.encoder_weights import open_encoder


def test_small_enough_to_ship() -> None:
    """Both together stay under 15 MB."""
    assert UNET_PATH.stat().st_size + AUDIO_ENCODER_PATH.stat().st_size < 15e6


def test_the_network_is_a_served_one() -> None:
    """It takes faces and speech of any number, and gives pictures."""
    session = onnxruntime.InferenceSession(UNET_PATH, providers=["CPUExecutionProvider"])
    inputs = {"face": np.zeros((2, 320, 320, 3), np.uint8), "audio": np.zeros((2, 32, 16, 16), np.float32)}
    (images,) = session.run(["image"], inputs)
    assert (images.shape, images.dtype) == ((2, 320, 320, 3), np.uint8)


def test_the_encoder_tells_silence_from_noise() -> None:
    """It hears: other sounds give other vectors."""
    encoder = open_encoder(AUDIO_ENCODER_PATH)
    noise = np.random.default_rng(0).uniform(-4, 4, (1, 1, 80, 16)).astype(np.float32)
    silence = np.full_like(noise, -4)
    assert np.abs(encoder(noise) - encoder(silence)).max() > 0.1
