"""Triton backend ``jpeg_encode``: rendered faces to JPEG.

Serves every model whose config says ``backend: "jpeg_encode"``; its parameters ``size`` (pixels; 0 keeps the picture's
own) and ``quality`` (1 to 100) come from the config, and so does ``device``: ``cpu``, which is meant where it is not
named, or ``gpu``. There pictures of their own size need not come to the host: the parameter
``FORCE_CPU_ONLY_INPUT_TENSORS`` of ``no`` has Triton leave them where the network wrote them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))
import device_encoder
from device_encoder import CodecError, DeviceEncoder
from dlpack import device_pictures
from encoder import encode_jpeg, mark_synthetic, shrink

RANGES = {"size": (16, 1024), "quality": (1, 100)}
NATIVE_SIZE = 0
DEVICES = ("cpu", "gpu")
FIRST_GPU = 0
STAYS_ON_DEVICE = "FORCE_CPU_ONLY_INPUT_TENSORS"


class TritonPythonModel:
    """Encodes a batch of pictures, side by side.

    Inputs: ``image`` (B, H, W, 3) uint8 BGR.
    Outputs: ``jpeg`` (B, 1) JPEG bytes.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Read the parameters, and refuse values that make no sense, or a device that is not there."""
        config = json.loads(args["model_config"])
        parameters = config["parameters"]
        native = parameters.get("size", {}).get("string_value") == str(NATIVE_SIZE)
        self.size = NATIVE_SIZE if native else _read_parameter(parameters, "size")
        self.quality = _read_parameter(parameters, "quality")
        cv2.setNumThreads(1)  # the pool below is the parallelism; OpenCV's own would fight it
        self.threads = _threads(config)
        self.pool = ThreadPoolExecutor(self.threads)
        self.device = self._open_device(parameters, args)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return one response per request; a picture that the device cannot encode fails its own request only."""
        tensors = [pb_utils.get_input_tensor_by_name(request, "image") for request in requests]
        batches = [_pictures(tensor) for tensor in tensors]
        images = [image for batch in batches for image in batch]
        jpegs = iter(self._encode_all(images))
        return [_respond([next(jpegs) for _ in batch]) for batch in batches]

    def finalize(self) -> None:
        """Release the threads."""
        self.pool.shutdown()

    def _open_device(self, parameters: dict[str, Any], args: dict[str, str]) -> Any:
        """Return the encoder of a GPU, or None where the CPU encodes."""
        device = parameters.get("device", {}).get("string_value", DEVICES[0])
        if device not in DEVICES:
            raise pb_utils.TritonModelException(f"parameter 'device': expected cpu or gpu, got {device}")
        stays = parameters.get(STAYS_ON_DEVICE, {}).get("string_value", "yes").lower() == "no"
        if stays and (device == "cpu" or self.size != NATIVE_SIZE):
            raise pb_utils.TritonModelException(
                f"parameter '{STAYS_ON_DEVICE}': expected yes unless 'device' is gpu and 'size' 0, as the CPU makes "
                "pictures smaller, got no"
            )
        if device == "cpu":
            return None
        gpu = int(args["model_instance_device_id"]) if args["model_instance_kind"] == "GPU" else FIRST_GPU
        try:
            return DeviceEncoder(device_encoder.find_gpu(gpu), self.quality, self.threads)
        except CodecError as exc:
            raise pb_utils.TritonModelException(f"model '{args['model_name']}': {exc}") from exc

    def _encode_all(self, images: list[Any]) -> list[bytes | None]:
        if self.device is None:
            return self._side_by_side(self._encode, images)
        if self.size != NATIVE_SIZE:
            images = self._side_by_side(lambda image: shrink(image, self.size), images)
        jpegs = self.device.encode(images)
        return [None if jpeg is None else mark_synthetic(jpeg) for jpeg in jpegs]

    def _side_by_side(self, work: Callable[[Any], Any], images: list[Any]) -> list[Any]:
        """Do work on pictures, a share of them in each thread: handing over single ones costs a tenth of it."""
        shares = min(len(images), self.threads)
        if shares <= 1:
            return [work(image) for image in images]
        results: list[Any] = [None] * len(images)
        done = self.pool.map(lambda share: [work(image) for image in share], _deal(images, shares))
        for index, share in enumerate(done):
            results[index::shares] = share
        return results

    def _encode(self, image: Any) -> bytes:
        return encode_jpeg(image, self.size or image.shape[0], self.quality)


def _pictures(tensor: Any) -> Any:
    """Return the pictures of a batch, each where it lies."""
    return tensor.as_numpy() if tensor.is_cpu() else device_pictures(tensor.to_dlpack())


def _deal(images: list[Any], shares: int) -> list[list[Any]]:
    """Return the pictures in so many shares, as one deals cards."""
    return [images[index::shares] for index in range(shares)]


def _threads(config: dict[str, Any]) -> int:
    """Return how many threads an instance has: its share of the cores."""
    instances: int = sum(group["count"] for group in config["instance_group"]) or 1
    return max(1, len(os.sched_getaffinity(0)) // instances)


def _respond(jpegs: list[bytes | None]) -> Any:
    if None in jpegs:
        text = "expected a picture that nvImageCodec can encode, got one that it cannot: its log says why"
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, pb_utils.TritonError.INTERNAL))
    column = np.array(jpegs, np.object_)[:, None]
    return pb_utils.InferenceResponse([pb_utils.Tensor("jpeg", column)])


def _read_parameter(parameters: dict[str, Any], key: str) -> int:
    low, high = RANGES[key]
    text = parameters.get(key, {}).get("string_value", "nothing")
    if not text.isdecimal() or not low <= int(text) <= high:
        raise pb_utils.TritonModelException(f"parameter '{key}': expected {low} to {high}, got {text}")
    return int(text)
