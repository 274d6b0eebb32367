"""pipecat_lipsync/sound.py"""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from pipecat.frames.frames import TTSAudioRawFrame

from pipecat_lipsync.sound import Sound, Voice, frame_like
from tests.agents.pipecat.pipeline import said, voice


def heard(listener: Voice, frames: list[TTSAudioRawFrame]) -> list[Sound]:
    """Return all sound of an utterance."""
    return [*(sound for frame in frames for sound in listener.hear(frame)), *listener.end()]


def joined(sounds: list[Sound]) -> np.ndarray:
    """Return sound in one piece."""
    return np.concatenate([sound.samples for sound in sounds])


@pytest.mark.parametrize("channels", [1, 2])
def test_of_the_same_rate_nothing_is_changed(channels: int) -> None:
    """Sound that is at the rate it is played at comes out as it came, at once."""
    pcm = voice(0.5, 24_000, channels)
    listener = Voice(24_000)
    pieces = [sound for frame in said(pcm, 24_000) for sound in listener.hear(frame)]
    np.testing.assert_array_equal(joined(pieces), pcm)
    assert listener.end() == []


@pytest.mark.parametrize("piece_ms", [1, 20, 370])
@pytest.mark.parametrize(
    ("rate", "played"), [(8_000, 24_000), (22_050, 24_000), (44_100, 16_000), (48_000, 8_000)]
)
def test_any_pieces_are_resampled_as_the_whole(rate: int, played: int, piece_ms: int) -> None:
    """Of another rate, whatever the pieces, the sound is that of the whole resampled at once, to the sample."""
    pcm = voice(0.7, rate)
    expected = soxr.resample(pcm.astype(np.float32), rate, played, quality="HQ").round().clip(-32768, 32767)
    given = joined(heard(Voice(played), said(pcm, rate, piece_ms)))
    assert len(given) == round(len(pcm) * played / rate)
    np.testing.assert_array_equal(given, expected.reshape(-1, 1))


def test_half_a_sample_waits_for_its_other_half() -> None:
    """A voice that cuts its sound anywhere loses nothing."""
    pcm = voice(0.1).tobytes()
    cuts = [pcm[:333], pcm[333:1000], pcm[1000:1001], pcm[1001:]]
    frames = [TTSAudioRawFrame(cut, 16_000, 1) for cut in cuts]
    assert joined(heard(Voice(16_000), frames)).tobytes() == pcm


def test_a_voice_that_changes_its_rate() -> None:
    """What the first rate's resampler held back comes before the first sound of the second."""
    slow, fast = voice(0.3, 8_000), voice(0.3, 48_000)
    sounds = heard(Voice(16_000), [*said(slow, 8_000), *said(fast, 48_000)])
    assert sum(len(sound.samples) for sound in sounds) == 2 * 4_800
    assert sum(len(sound.samples) for sound in sounds if sound.like.sample_rate == 8_000) == 4_800


def test_an_interruption_leaves_nothing_in_the_resampler() -> None:
    """After ``forget``, the next utterance is as if none had been before."""
    listener = Voice(48_000)
    loud = np.full((800, 1), 20_000, np.int16)
    listener.hear(said(loud, 8_000)[0])
    listener.forget()
    assert listener.end() == []
    assert not joined(heard(listener, said(np.zeros((800, 1), np.int16), 8_000))).any()


def test_a_bridge_hears_the_mean_of_two_channels() -> None:
    """Stereo is sent as one channel."""
    left, right = np.int16([100, -5, 32_767]), np.int16([300, -6, 32_767])
    sound = Sound(np.stack([left, right], axis=1), said(voice(0.1, channels=2))[0])
    assert np.frombuffer(sound.mono, np.int16).tolist() == [200, -6, 32_767]


def test_a_piece_is_like_the_frame_it_came_in() -> None:
    """Context, destination and interruptibility go with the sound."""
    like = TTSAudioRawFrame(b"", 8_000, 2, context_id="7")
    like.transport_destination, like.interruptible = "room", False
    piece = frame_like(like, bytes(8), 24_000)
    assert (piece.sample_rate, piece.num_channels, piece.num_frames, piece.context_id) == (24_000, 2, 2, "7")
    assert (piece.transport_destination, piece.interruptible) == ("room", False)
