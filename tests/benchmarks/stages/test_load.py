"""benchmarks/stages/load.py, on the real Triton"""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import grpc.aio
import numpy as np
import pytest
from tritonclient.grpc import service_pb2_grpc

from benchmarks.errors import LoadFailed
from benchmarks.stages.load import StageLoad, run_load, shared
from embedded import Server
from tests.conftest import Workspace


async def test_pictures_and_answers_lie_in_shared_memory(workspace: Workspace, triton: Server) -> None:
    """Each caller's faces are written where it asked for them, and its bounds come over gRPC."""
    faces = np.load(workspace.avatars / "demo" / "faces.npy")
    ids = np.array([[7], [3]], np.int32)
    load = StageLoad("demo_frames", "frame_id", ids, {"face": 2 * faces[0].nbytes, "bounds": 0}, callers=2)
    async with shared(triton, load) as requests, grpc.aio.insecure_channel(triton.grpc_url) as channel:
        answer = await service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(requests[1])
        asked = requests[1].outputs[0].parameters
        memory = SharedMemory(asked["shared_memory_region"].string_param)
        offset = asked["shared_memory_offset"].int64_param
        found = np.ndarray((2, 320, 320, 3), np.uint8, memory.buf, offset).copy()
        memory.close()
    assert offset == 2 * faces[0].nbytes
    assert len(answer.raw_output_contents[1]) == 2 * 16
    np.testing.assert_array_equal(found, faces[[7, 3]])


async def test_nothing_stays(triton: Server) -> None:
    """Its memory is gone after the load, also for Triton."""
    images = np.zeros((1, 320, 320, 3), np.uint8)
    async with shared(triton, StageLoad("jpeg_encode", "image", images, {"jpeg": 0}, 1)) as requests:
        name = requests[0].inputs[0].parameters["shared_memory_region"].string_param
        assert await run_load(triton, requests, 0.1) > 0
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)
    with pytest.raises(LoadFailed, match=f"Unable to find shared memory region: '{name}'"):
        await run_load(triton, requests, 0.1)
