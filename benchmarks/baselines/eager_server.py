"""The predecessor's server, re-created for comparison: one process, PyTorch eager, batch 1, gRPC. For benchmarks only.

``python -m benchmarks.baselines.eager_server AVATAR_FOLDER WIDTH``. What it shares with the original: one request is
computed at a time, float32 tensors are built from the frame for every request, the network runs in PyTorch's eager mode
under ``no_grad``, and the answer is a 256x256 JPEG in a unary gRPC call. Message: the frame id, 4 bytes, little endian.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import grpc
import numpy as np
import torch

from benchmarks.baselines.bare import frame_inputs
from benchmarks.baselines.process import READY
from benchmarks.site import random_network
from export.contract import UNET_328
from export.network.borders import mouth_mask

__all__ = ["METHOD", "EagerServer"]

METHOD = "/eager/GenerateInference"
JPEG_SIZE, JPEG_QUALITY = 256, 95
WORKERS = 10
CHANNEL_OPTIONS = (("grpc.so_reuseport", 0),)


class EagerServer:
    """Answers frame ids, one at a time."""

    def __init__(self, avatar_folder: Path, width: float) -> None:
        self._inputs, self._count = frame_inputs(avatar_folder)
        self._network = random_network(width)
        self._one_at_a_time = threading.Lock()

    def render(self, request: bytes, context: grpc.ServicerContext | None) -> bytes:
        """Return the JPEG of one frame."""
        frame_id = int.from_bytes(request, "little") % self._count
        with self._one_at_a_time:
            inputs = self._inputs(frame_id)
            face = inputs["face"].astype(np.float32).transpose(0, 3, 1, 2) / 255
            stacked = np.concatenate([face, face * mouth_mask(UNET_328)], axis=1)
            with torch.no_grad():
                output = self._network(torch.from_numpy(stacked), torch.from_numpy(inputs["audio"])).numpy()
            image = (output[0] * 255).astype(np.uint8).transpose(1, 2, 0)
            smaller = cv2.resize(image, (JPEG_SIZE, JPEG_SIZE))
            return bytes(cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def main() -> None:
    """Serve until killed."""
    server = EagerServer(Path(sys.argv[1]), float(sys.argv[2]))
    handler = grpc.unary_unary_rpc_method_handler(server.render)
    grpc_server = grpc.server(ThreadPoolExecutor(WORKERS), options=CHANNEL_OPTIONS)
    service, method = METHOD[1:].split("/")
    grpc_server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    print(f"{READY}{port}", flush=True)
    grpc_server.wait_for_termination()


if __name__ == "__main__":
    main()
