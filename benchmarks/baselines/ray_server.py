"""The same pipeline behind Ray Serve, as its documentation recommends: one replica with all CPUs.

``python -m benchmarks.baselines.ray_server AVATAR_FOLDER NETWORK PORT``; POST /predict ``{"frame_id": 7}``.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.baselines.pipeline import Pipeline
from benchmarks.baselines.process import READY
from benchmarks.machine import usable_cores

MAX_ONGOING = 16


class Frames:
    """Frame id in, JPEG out."""

    def __init__(self, avatar_folder: str, network: str) -> None:
        self.pipeline = Pipeline(Path(avatar_folder), Path(network))

    async def __call__(self, request: Request) -> Response:
        """Answer with the bytes alone."""
        frame_id = int((await request.json())["frame_id"])
        return Response(self.pipeline.render(frame_id), media_type="image/jpeg")


def main() -> None:
    """Serve until killed."""
    cores = usable_cores()
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[3])})
    deployment = serve.deployment(
        Frames, num_replicas=1, max_ongoing_requests=MAX_ONGOING, ray_actor_options={"num_cpus": cores}
    )
    serve.run(deployment.bind(sys.argv[1], sys.argv[2]), route_prefix="/predict")
    print(f"{READY}{sys.argv[3]}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
