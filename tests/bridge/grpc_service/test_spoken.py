"""bridge/grpc_service/spoken.py, and the call GenerateBatchWithAudio through the stubs of a client"""

import grpc
import numpy as np
import pytest

from bridge.errors import BadRequest
from bridge.grpc_service.spoken import CHUNK_BYTES, check_chunks, hear
from speech.utterance import Utterance
from tests.bridge.grpc_service.test_calls import status_of
from tests.fake_triton import BOUNDS, FakeTriton, fake_features, fake_live_jpeg

SOUND = np.random.default_rng(5).integers(-9_000, 9_000, 80 * 640).astype("<i2")
CHUNKS = [SOUND[start : start + 640].tobytes() for start in range(0, len(SOUND), 640)]


class Models:
    """What hears, without a Triton."""

    async def encode(self, avatar, samples):
        """Return the vectors of the fake Triton."""
        assert len(samples) <= 16
        return fake_features(samples)


def windows_of(chunks):
    """Return what each frame hears of a sound that is there as a whole."""
    utterance = Utterance()
    utterance.feed(np.frombuffer(b"".join(chunks), "<i2").astype(np.float32) / 32768)
    utterance.end()
    while len((given := utterance.inputs(7))[1]):
        utterance.put(given[0], fake_features(given[1]))
    return [utterance.window(frame) for frame in range(utterance.frame_count)]


@pytest.fixture
async def triton():
    """A fake Triton with avatars that can be spoken to, and one that cannot."""
    async with FakeTriton(frame_count=37, models=["deaf"], hearing=("echo", "losing", "broken")) as triton:
        yield triton


@pytest.mark.parametrize(
    ("start", "count", "chunks", "sentence"),
    [
        (0, 3, CHUNKS[:2], "audio_chunks: expected one for each of 3 frames, got 2"),
        (0, 1, CHUNKS[:2], "audio_chunks: expected one for each of 1 frames, got 2"),
        (0, 2, [CHUNKS[0], b"\0"], f"audio_chunks[1]: expected {CHUNK_BYTES} bytes, got 1"),
        (0, 81, CHUNKS, "frame_count: expected 0 to 80, got 81"),
        (0, -1, [], "frame_count: expected 0 to 80, got -1"),
        (2**31 - 2, 3, CHUNKS[:3], "start_frame_id: expected at most 2147483645, got 2147483646"),
    ],
)
def test_bad_chunks(start, count, chunks, sentence):
    """Anything but a whole chunk for each frame is refused, and says what was expected."""
    with pytest.raises(BadRequest) as caught:
        check_chunks(start, count, chunks, 80)
    assert str(caught.value) == sentence


def test_chunks_are_sound():
    """Chunks are joined, and scaled to -1.0 to 1.0; the last id may be the last there is."""
    np.testing.assert_array_equal(
        check_chunks(2**31 - 2, 2, CHUNKS[:2], 80), SOUND[:1_280].astype(np.float32) / 32768
    )


async def test_a_part_of_longer_speech():
    """Frames hear what they hear in the longer speech, but for the first ten and the last eleven."""
    whole = windows_of(CHUNKS)[20:60]
    part = await hear(Models(), "echo", check_chunks(0, 40, CHUNKS[20:60], 80))
    same = [number for number in range(40) if np.array_equal(part.window(number), whole[number])]
    assert same == list(range(10, 29))


async def test_generate_batch_with_audio(triton, pb, deployed):
    """Frame i is that of the start's id + i, saying chunk i; sound before and after is silence."""
    request = pb.BatchInferenceWithAudioRequest(
        model_name="echo", start_frame_id=5, frame_count=20, audio_chunks=CHUNKS[:20]
    )
    response = await deployed.GenerateBatchWithAudio(request, metadata=(("x-request-id", "mine"),))
    assert [frame.prediction_data for frame in response.responses] == [
        fake_live_jpeg("echo", 5 + number, window) for number, window in enumerate(windows_of(CHUNKS[:20]))
    ]
    assert [frame.frame_id for frame in response.responses] == list(range(5, 25))
    assert all(frame.success and frame.model_name == "echo" for frame in response.responses)
    assert list(response.responses[0].bounds) == list(BOUNDS)
    assert response.responses[0].inference_time_ms > 0
    assert response.avg_frame_time_ms > 0
    assert {"mine", "mine-1", "mine-20"} <= set(triton.request_ids)


async def test_a_frame_that_fails(pb, deployed):
    """A frame past the clip's end, or that Triton does not paint, fails alone."""
    request = pb.BatchInferenceWithAudioRequest(
        model_name="echo", start_frame_id=36, frame_count=2, audio_chunks=CHUNKS[:2]
    )
    response = await deployed.GenerateBatchWithAudio(request)
    assert [(frame.success, frame.frame_id) for frame in response.responses] == [(True, 36), (False, 37)]
    assert "frame_id 37 is outside [0, 36]" in response.responses[1].error
    request = pb.BatchInferenceWithAudioRequest(
        model_name="losing", start_frame_id=-1, frame_count=2, audio_chunks=CHUNKS[:2]
    )
    response = await deployed.GenerateBatchWithAudio(request)
    assert [frame.error for frame in response.responses] == [
        "frame_id -1 is outside [0, 2147483647]",
        "expected room in Triton's queue for model 'losing_live', got none; try again later",
    ]


async def test_no_frames(pb, deployed):
    """No frames are no error."""
    response = await deployed.GenerateBatchWithAudio(pb.BatchInferenceWithAudioRequest(model_name="echo"))
    assert (len(response.responses), response.avg_frame_time_ms) == (0, 0)


@pytest.mark.parametrize(
    ("model_name", "chunk", "code", "text"),
    [
        (
            "deaf",
            CHUNKS[0],
            grpc.StatusCode.FAILED_PRECONDITION,
            "expected an avatar that can be spoken to, got 'deaf', imported without an audio encoder",
        ),
        (
            "nobody",
            CHUNKS[0],
            grpc.StatusCode.NOT_FOUND,
            "expected the name of a loaded model, got 'nobody'",
        ),
        (
            "echo",
            b"\0\0",
            grpc.StatusCode.INVALID_ARGUMENT,
            "audio_chunks[0]: expected 1280 bytes, got 2",
        ),
        (
            "broken",
            CHUNKS[0],
            grpc.StatusCode.INTERNAL,
            "expected an answer of Triton, got an internal error; the bridge's log has the details",
        ),
    ],
)
async def test_what_no_frame_can_be_made_of(pb, deployed, model_name, chunk, code, text):
    """What keeps every frame from being made is a status."""
    request = pb.BatchInferenceWithAudioRequest(model_name=model_name, frame_count=1, audio_chunks=[chunk])
    assert await status_of(deployed.GenerateBatchWithAudio(request)) == (code, text)
