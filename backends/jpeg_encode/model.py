"""Triton backend ``jpeg_encode``: rendered faces to JPEG.

Serves every model whose config says ``backend: "jpeg_encode"``; its parameters ``size`` (pixels; 0 keeps the picture's
own) and ``quality`` (1 to 100) come from the config.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))
from encoder import encode_jpeg

RANGES = {"size": (16, 1024), "quality": (1, 100)}
NATIVE_SIZE = 0


class TritonPythonModel:
    """Encodes a batch of pictures, side by side.

    Inputs: ``image`` (B, H, W, 3) uint8 BGR.
    Outputs: ``jpeg`` (B, 1) JPEG bytes.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Read ``size`` and ``quality``, and refuse values that make no sense."""
        config = json.loads(args["model_config"])
        parameters = config["parameters"]
        native = parameters.get("size", {}).get("string_value") == str(NATIVE_SIZE)
        self.size = NATIVE_SIZE if native else _read_parameter(parameters, "size")
        self.quality = _read_parameter(parameters, "quality")
        cv2.setNumThreads(1)  # the pool below is the parallelism; OpenCV's own would fight it
        self.threads = _threads(config)
        self.pool = ThreadPoolExecutor(self.threads)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return one response per request."""
        batches = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy() for request in requests]
        images = [image for batch in batches for image in batch]
        jpegs = iter(self._encode_all(images))
        return [_respond([next(jpegs) for _ in batch]) for batch in batches]

    def finalize(self) -> None:
        """Release the threads."""
        self.pool.shutdown()

    def _encode_all(self, images: list[Any]) -> list[bytes]:
        """Encode pictures, a share of them in each thread: handing over single ones costs a tenth of the work."""
        shares = min(len(images), self.threads)
        if shares <= 1:
            return [self._encode(image) for image in images]
        done = self.pool.map(lambda share: [self._encode(image) for image in share], _deal(images, shares))
        jpegs: list[bytes] = [b""] * len(images)
        for index, share in enumerate(done):
            jpegs[index::shares] = share
        return jpegs

    def _encode(self, image: Any) -> bytes:
        return encode_jpeg(image, self.size or image.shape[0], self.quality)


def _deal(images: list[Any], shares: int) -> list[list[Any]]:
    """Return the pictures in so many shares, as one deals cards."""
    return [images[index::shares] for index in range(shares)]


def _threads(config: dict[str, Any]) -> int:
    """Return how many threads an instance has: its share of the cores."""
    instances: int = sum(group["count"] for group in config["instance_group"]) or 1
    return max(1, len(os.sched_getaffinity(0)) // instances)


def _respond(jpegs: list[bytes]) -> Any:
    column = np.array(jpegs, np.object_)[:, None]
    return pb_utils.InferenceResponse([pb_utils.Tensor("jpeg", column)])


def _read_parameter(parameters: dict[str, Any], key: str) -> int:
    low, high = RANGES[key]
    text = parameters.get(key, {}).get("string_value", "nothing")
    if not text.isdecimal() or not low <= int(text) <= high:
        raise pb_utils.TritonModelException(f"parameter '{key}': expected {low} to {high}, got {text}")
    return int(text)
