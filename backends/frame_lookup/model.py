"""Triton backend ``frame_lookup``: what the network needs for a frame id of an avatar's clip.

Serves every model whose config says ``backend: "frame_lookup"``. The data lies in the model's version folder; the
parameters ``frame_count``, ``edge_padding`` and ``audio_window`` (16 where it is not named) come from its config.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))
from frames import FrameStore, Scratch

USUAL_WINDOW = 16
DATA_FILES_HINT = "import the avatar again: python -m export avatar --help"


class TritonPythonModel:
    """Answers frame ids in one gather per request.

    Inputs: ``frame_id`` (B, 1) int32.
    Outputs, each only when requested: ``face`` (B, S, S, 3) uint8 BGR, S of 320 or 160; ``audio`` (B, C, H, W) float32;
    ``bounds`` (B, 4) int32 x1, y1, x2, y2; ``full_frame`` (B, 1) JPEG bytes; ``sound`` (B, S) int16 at
    16 kHz, what sounds while the frame is shown; ``face_id`` (B, 1) int32, the id itself once it is in range, for a
    network that holds the faces and cannot refuse one.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Open the frames, and refuse data that is missing or not what the config says."""
        config = json.loads(args["model_config"])
        self.name = args["model_name"]
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        shapes = {output["name"]: tuple(map(int, output["dims"])) for output in config["output"]}
        for key in ("frame_count", "edge_padding"):
            if key not in parameters:
                raise pb_utils.TritonModelException(
                    f"config of '{self.name}': expected parameter '{key}', got none"
                )
        folder = Path(args["model_repository"]) / args["model_version"]
        try:
            window = int(parameters.get("audio_window", USUAL_WINDOW))
            self.store = FrameStore(
                folder, shapes["face"], shapes["audio"], window, parameters["edge_padding"]
            )
        except (OSError, ValueError) as exc:
            raise pb_utils.TritonModelException(
                f"frame data of '{self.name}': {exc}; {DATA_FILES_HINT}"
            ) from exc
        if str(self.store.count) != parameters["frame_count"]:
            raise pb_utils.TritonModelException(
                f"frame data of '{self.name}': expected {parameters['frame_count']} frames (config.pbtxt), "
                f"got {self.store.count}; {DATA_FILES_HINT}"
            )
        self.scratch = Scratch(config["max_batch_size"], shapes["face"], np.uint8)
        self.gathers: dict[str, Callable[[Any], Any]] = {
            "face": partial(self.store.gather_faces, scratch=self.scratch),
            "audio": self.store.gather_audio,
            "bounds": self.store.gather_bounds,
            "full_frame": self.store.gather_full_frames,
            "sound": self.store.gather_sound,
            "face_id": lambda frame_ids: frame_ids[:, None],
        }
        pb_utils.Logger.log_info(f"{self.name}: {self.store.count} frames")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return one response per request; a bad id, or data that are gone, fail their own request only.

        Triton's stub copies all responses out before it hands over the next requests, so scratch memory is free then.
        """
        self.scratch.begin()
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        frame_ids = pb_utils.get_input_tensor_by_name(request, "frame_id").as_numpy()[:, 0]
        outside = frame_ids[(frame_ids < 0) | (frame_ids >= self.store.count)]
        if outside.size:
            text = f"frame_id {outside[0]} is outside [0, {self.store.count - 1}] of model '{self.name}'"
            error = pb_utils.TritonError(text, pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        wanted = request.requested_output_names()
        gathers = [(name, gather) for name, gather in self.gathers.items() if name in wanted]
        try:
            return pb_utils.InferenceResponse(
                [pb_utils.Tensor(name, gather(frame_ids)) for name, gather in gathers]
            )
        except (OSError, ValueError) as exc:  # the file was cut short, or its disk fails
            text = f"frame data of '{self.name}': {exc}; {DATA_FILES_HINT}"
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, pb_utils.TritonError.INTERNAL))
