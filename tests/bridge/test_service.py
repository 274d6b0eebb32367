"""bridge/service.py"""

import asyncio

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2

from bridge.balancer import Balancer
from bridge.errors import InferTimeout, InternalError, InvalidFrameId, NoSound, NoUpstreamReady, UnknownModel
from bridge.metrics import Metrics
from bridge.service import Metadata, Placement, Service
from bridge.triton import TritonClient
from speech.wav import encode_wav
from tests.bridge.helpers import config_for
from tests.fake_triton import BOUNDS, FakeTriton, fake_jpeg, fake_picture, fake_sound


@pytest.fixture
async def make_service(triton):
    """Return a function that makes a service with these settings."""
    async with Balancer(config_for(triton)) as balancer:
        yield lambda **settings: Service(config_for(triton, **settings), balancer, Metrics())


@pytest.fixture
def service(make_service):
    return make_service()


async def test_render(triton, service):
    """A frame is one call to Triton, for all its outputs, so that a response cache never keeps half of them."""
    assert await service.render("echo", 149) == fake_jpeg("echo", 149)
    assert triton.requested_outputs == [["jpeg", "bounds"]]


async def test_render_does_not_copy(service):
    """The JPEG is a view into Triton's answer."""
    jpeg = await service.render("echo", 1)
    assert isinstance(jpeg, memoryview)
    assert len(jpeg.obj) == len(jpeg) + 4


async def test_render_with_bounds(service):
    """A picture comes with the rectangle of its crop."""
    picture = await service.render_with_bounds("echo", 3)
    assert (picture.jpeg, picture.bounds) == (fake_jpeg("echo", 3), list(BOUNDS))


@pytest.mark.parametrize("frame_id", [-1, 2**31])
async def test_impossible_frame_ids_do_not_reach_triton(triton, service, frame_id):
    """An id that no INT32 tensor holds is refused without asking Triton."""
    with pytest.raises(InvalidFrameId):
        await service.render("echo", frame_id)
    with pytest.raises(InvalidFrameId):
        await service.video_frame("echo", frame_id, "full_body")
    assert not triton.calls


async def test_render_timeout(make_service):
    """A frame that is not there within infer_timeout_s is a timeout."""
    with pytest.raises(InferTimeout, match=r"within 0\.05 s"):
        await make_service(infer_timeout_s=0.05).render("slow", 1)


async def test_list_models(triton, service):
    """Avatars are the models that are ready together with their frames; loading and unloading shows at once."""
    assert await service.list_models() == ["broken", "echo", "slow"]
    triton.unload_model("slow")
    triton.add_model("anna")
    assert await service.list_models() == ["anna", "broken", "echo"]


async def test_metadata(service):
    """Metadata is read from the configuration of the frames model, the bounds from frame 0."""
    assert await service.metadata("echo") == Metadata("echo", 150, 25.0, "ave", 320, list(BOUNDS))


async def test_metadata_is_remembered(triton, make_service):
    """Metadata is asked for once within metadata_ttl_s, unless forgotten, and every time where that is 0."""
    service = make_service(metadata_ttl_s=3600)
    await service.metadata("echo")
    await service.metadata("echo")
    assert triton.calls["echo_frames"] == 1
    service.forget("echo")
    await service.metadata("echo")
    assert triton.calls["echo_frames"] == 2
    forgetful = make_service(metadata_ttl_s=0)
    await forgetful.metadata("echo")
    triton.unload_model("echo")
    with pytest.raises(UnknownModel, match=r"got 'echo'$"):
        await forgetful.metadata("echo")


async def test_sound(triton, service):
    """A clip's sound is that of all its frames, asked for in batches of 16 without anything else."""
    sounds = np.concatenate([fake_sound(frame_id) for frame_id in range(150)])
    assert (await service.sound("echo")).wav == encode_wav(sounds.astype("<i2").tobytes())
    assert triton.requested_outputs == [["sound"]] * 10


async def test_sound_is_asked_for_once(triton, make_service):
    """However many want a clip's sound, at once or later, it is asked for once per version, unless forgotten."""
    service = make_service(metadata_ttl_s=0)
    sounds = await asyncio.gather(*(service.sound("echo") for _ in range(5)), return_exceptions=True)
    assert await service.sound("echo") is sounds[0]
    assert len(set(map(id, sounds))) == 1
    assert triton.calls["echo_frames"] == 10
    triton.versions["echo"] = ["2", "10"]
    assert (await service.sound("echo")).version == "10"
    assert triton.calls["echo_frames"] == 20
    service.forget("echo")
    await service.sound("echo")
    assert triton.calls["echo_frames"] == 30


async def test_version_is_remembered(triton, make_service):
    """Which version is served is asked for once within metadata_ttl_s."""
    service = make_service(metadata_ttl_s=3600)
    await service.sound("echo")
    triton.versions["echo"] = ["2"]
    assert (await service.sound("echo")).version == "1"


async def test_sound_that_changes_meanwhile(triton, make_service, monkeypatch):
    """Sound whose version changes while it is asked for is answered, and not kept."""
    service = make_service(metadata_ttl_s=3600)
    infer = TritonClient.infer

    async def infer_and_change(client, request, timeout_s):
        triton.versions["echo"] = ["2"]
        return await infer(client, request, timeout_s)

    monkeypatch.setattr(TritonClient, "infer", infer_and_change)
    assert (await service.sound("echo")).version == ""
    assert (await service.sound("echo")).version == "2"
    assert triton.calls["echo_frames"] == 20


async def test_sound_of_nobody(service):
    """A model that is not loaded is unknown by the name that was asked for."""
    with pytest.raises(UnknownModel, match=r"got 'nobody'$"):
        await service.sound("nobody")


async def test_sound_of_a_silent_clip(triton, service):
    """A clip without sound has none to give, and is asked for it once."""
    triton.add_model("silent")
    for _ in range(2):
        with pytest.raises(
            NoSound, match=r"^expected an avatar with sound, got 'silent', whose clip is silent$"
        ):
            await service.sound("silent")
    assert triton.calls["silent_frames"] == 10


async def test_closing_stops_asking(triton, make_service):
    """Sound that is asked for when the service is closed is cancelled in Triton, though its viewer left before."""
    triton.add_model("slow")
    service = make_service()
    waiting = asyncio.create_task(service._sounds.get(("slow", "1"), lambda: service.render("slow", 1)))
    await triton.wait_for_calls("slow", 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert triton.cancelled["slow"] == 0
    await service.close()
    await triton.wait_for_cancelled("slow", 1)


async def test_all_metadata(triton, service):
    """The metadata of all avatars comes sorted by name, without any that was unloaded meanwhile."""
    assert [metadata.model_name for metadata in await service.all_metadata()] == ["broken", "echo", "slow"]
    list_models = service.list_models

    async def list_then_unload():
        names = await list_models()
        triton.unload_model("added")
        return names

    triton.add_model("added")
    service.list_models = list_then_unload
    assert [metadata.model_name for metadata in await service.all_metadata()] == ["broken", "echo", "slow"]


async def test_all_metadata_without_the_lost():
    """An avatar whose only Triton is lost meanwhile is left out; when all are lost, they are unavailable."""
    async with (
        FakeTriton(models=["echo"]) as first,
        FakeTriton(models=["late"]) as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        service = Service(config_for(first, second, metadata_ttl_s=0), balancer, Metrics())
        names = await service.list_models()

        async def list_before():
            return names

        service.list_models = list_before
        await second.kill()
        assert [metadata.model_name for metadata in await service.all_metadata()] == ["echo"]
        await first.kill()
        with pytest.raises(NoUpstreamReady):
            await service.all_metadata()


@pytest.mark.parametrize("video_type", ["full_body", "rois_320"])
async def test_video_frames_of_nobody(service, video_type):
    """A model that is not loaded is unknown by the name that was asked for."""
    with pytest.raises(UnknownModel, match=r"got 'nobody'$"):
        await service.video_frame("nobody", 1, video_type)


async def test_faces_without_the_encoder(monkeypatch, triton, service):
    """A repository without jpeg_encode is no mistake of the caller."""
    monkeypatch.setattr(triton, "_names", lambda: ["echo", "echo_frames"])
    with pytest.raises(InternalError) as caught:
        await service.video_frame("echo", 1, "rois_320")
    assert caught.value.detail == "expected the model 'jpeg_encode' to be loaded, got none of that name"


async def test_metadata_that_is_not_there(monkeypatch, service):
    """A frames model without its parameters is an internal error that says which were expected."""

    async def no_parameters(client, model_name, timeout_s):
        return model_config_pb2.ModelConfig()

    monkeypatch.setattr(TritonClient, "get_model_config", no_parameters)
    with pytest.raises(InternalError) as caught:
        await service.metadata("echo")
    assert caught.value.detail == (
        "model 'echo_frames': expected frame_count, fps and audio_mode, and the output face, got {} and []"
    )


async def test_video_frames(triton, service):
    """The whole frame is Triton's own JPEG; the face goes through ``jpeg_encode``."""
    assert await service.video_frame("echo", 5, "full_body") == fake_picture("echo", 5)
    assert await service.video_frame("echo", 5, "rois_320") == fake_jpeg("jpeg_encode", 5)
    assert triton.requested_outputs == [["full_frame"], ["face"], ["jpeg"]]


async def test_two_avatars_at_once():
    """Each avatar answers with its own pictures."""
    async with FakeTriton(models=("anna", "bert")) as triton, Balancer(config_for(triton)) as balancer:
        service = Service(config_for(triton), balancer, Metrics())
        assert await service.render("anna", 1) == fake_jpeg("anna", 1)
        assert await service.render("bert", 1) == fake_jpeg("bert", 1)


async def test_placement(service):
    """Where a network runs, and how, is read from Triton's configurations."""
    assert await service.placement("echo") == Placement(
        "cpu", ["onnxruntime", "dynamic_batching", "2_instances"]
    )
    with pytest.raises(UnknownModel, match=r"got 'nobody'$"):
        await service.placement("nobody")
