"""The same pipeline behind LitServe, as its documentation recommends: one worker for one CPU, batching off.

``python -m benchmarks.baselines.litserve_server AVATAR_FOLDER NETWORK PORT``; POST /predict ``{"frame_id": 7}``.
"""

# No "from __future__ import annotations" here: LitServe reads the types of decode_request and encode_response.
import sys
from pathlib import Path
from typing import Any

import litserve
from fastapi import Response

from benchmarks.baselines.pipeline import Pipeline
from benchmarks.baselines.process import READY


class FrameAPI(litserve.LitAPI):  # type: ignore[misc]  # litserve is installed apart
    """Frame id in, JPEG out."""

    def setup(self, device: str) -> None:
        """Load the network in the worker."""
        self.pipeline = Pipeline(Path(sys.argv[1]), Path(sys.argv[2]))

    def decode_request(self, request: dict[str, Any]) -> int:
        """Return the frame id."""
        return int(request["frame_id"])

    def predict(self, frame_id: int) -> bytes:
        """Return the JPEG."""
        return self.pipeline.render(frame_id)

    def encode_response(self, jpeg: bytes) -> Response:
        """Answer with the bytes alone."""
        return Response(jpeg, media_type="image/jpeg")


def main() -> None:
    """Serve until killed; the caller polls until it answers."""
    server = litserve.LitServer(FrameAPI(), accelerator="cpu", workers_per_device=1, timeout=60)
    print(f"{READY}{sys.argv[3]}", flush=True)
    server.run(host="127.0.0.1", port=int(sys.argv[3]), generate_client_file=False, log_level="error")


if __name__ == "__main__":
    main()
