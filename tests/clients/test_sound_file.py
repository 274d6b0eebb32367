"""lipsync_client/sound_file.py"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync_client import BadSound
from lipsync_client.sound_file import RawFormat, SoundFile
from tests.clients.sounds import beep, write_sound


def heard(sound: SoundFile) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return what a bridge hears of a sound, and its track, (channels, S)."""
    pieces = list(sound.pieces())
    sound.close()
    pcm = np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2")
    return pcm, np.concatenate([frame.to_ndarray() for piece in pieces for frame in piece.frames], axis=1)


def onset_s(samples: NDArray, rate: int) -> float:
    """Return when a sound begins, in seconds."""
    return float(np.argmax(np.abs(samples / np.abs(samples).max()) > 0.2) / rate)


@pytest.mark.parametrize(
    ("rate", "codec", "container", "channels", "track_rate", "slack_s"),
    [
        (16_000, "pcm_s16le", "wav", 1, 16_000, 0.001),
        (8_000, "pcm_alaw", "wav", 1, 8_000, 0.002),
        (44_100, "pcm_s24le", "wav", 2, 44_100, 0.001),
        (96_000, "pcm_f32le", "wav", 6, 48_000, 0.001),
        (22_050, "flac", "flac", 1, 22_050, 0.001),
        (44_100, "mp3", "mp3", 2, 44_100, 0.03),
        (48_000, "libopus", "ogg", 1, 48_000, 0.03),
    ],
)
def test_any_sound(
    tmp_path: Path, rate: int, codec: str, container: str, channels: int, track_rate: int, slack_s: float
) -> None:
    """Sound of any rate, codec and layout is heard at 16 kHz, mono, in time, as loud as it is."""
    write_sound(tmp_path / "sound", beep(2, rate, 0.5, 1.5), rate, codec, container, channels)
    sound = SoundFile(str(tmp_path / "sound"))
    pcm, track = heard(sound)
    assert sound.duration_s == pytest.approx(2, abs=0.1)
    assert (sound.track_rate, sound.track_layout) == (track_rate, "mono" if channels == 1 else "stereo")
    assert len(track) == min(channels, 2)
    assert len(pcm) / 16_000 == pytest.approx(2, abs=0.1 if slack_s > 0.01 else 0.0001)
    assert track.shape[1] / track_rate == pytest.approx(len(pcm) / 16_000, abs=0.001)
    assert onset_s(pcm, 16_000) == pytest.approx(0.5, abs=slack_s)
    assert onset_s(track[0], track_rate) == pytest.approx(onset_s(pcm, 16_000), abs=0.001)
    if channels < 6:
        assert np.abs(pcm[12_000:20_000]).max() == pytest.approx(16_384, rel=0.1)


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg, which takes what stands before a colon for a protocol, sees a file."""
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "sound", beep(1, 16_000, 0.5, 0.8), 16_000, "pcm_s16le", "wav", 1)
    (tmp_path / "sound").rename("talk-12:30.wav")
    pcm, _ = heard(SoundFile("talk-12:30.wav"))
    assert onset_s(pcm, 16_000) == pytest.approx(0.5, abs=0.001)


def test_sound_at_the_bridges_rate_is_untouched(tmp_path: Path) -> None:
    """What is 16 kHz mono already is heard sample by sample."""
    samples = beep(1.0003, 16_000, 0.1, 0.9)
    write_sound(tmp_path / "sound.wav", samples, 16_000)
    pcm, _ = heard(SoundFile(str(tmp_path / "sound.wav")))
    assert len(pcm) == len(samples)
    assert np.abs(pcm - samples * 32_768).max() <= 1


@pytest.mark.parametrize(("name", "dtype", "scale"), [("s16le", "<i2", 32_767), ("f32le", "<f4", 1)])
def test_raw_sound(tmp_path: Path, name: str, dtype: str, scale: int) -> None:
    """Sound without a header is what it is said to be."""
    samples = (beep(1, 24_000, 0.25, 0.75) * scale).astype(dtype)
    (tmp_path / "sound").write_bytes(samples.tobytes())
    sound = SoundFile(str(tmp_path / "sound"), RawFormat(name, 24_000))
    pcm, _ = heard(sound)
    assert (sound.track_rate, len(pcm)) == (24_000, 16_000)
    assert onset_s(pcm, 16_000) == pytest.approx(0.25, abs=0.001)


def test_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard input is read as it comes; it cannot be sought in, nor says its length."""
    write_sound(tmp_path / "sound.wav", beep(1, 16_000, 0.5, 0.75), 16_000)
    read, write = os.pipe()
    os.write(write, (tmp_path / "sound.wav").read_bytes())  # fits into the pipe
    os.close(write)
    with open(read) as pipe:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", pipe)
        pcm, _ = heard(SoundFile("-"))
    assert len(pcm) == 16_000
    assert onset_s(pcm, 16_000) == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected sound of a known format in '{}', got something else"),
        (b"hello, world. " * 100, "expected sound of a known format in '{}', got something else"),
        (
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\0\0\0\0",
            "got none that can be",
        ),
    ],
    ids=["empty", "text", "no samples"],
)
def test_no_sound(tmp_path: Path, content: bytes, sentence: str) -> None:
    """What holds no sound is refused in one sentence."""
    path = tmp_path / "sound"
    path.write_bytes(content)
    with pytest.raises(BadSound) as caught:
        list(SoundFile(str(path)).pieces())
    assert sentence.format(path) in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"), [(20, 0x1234), (34, 4096)], ids=["unknown codec", "no such depth"]
)
def test_a_header_that_no_decoder_takes(tmp_path: Path, place: int, value: int) -> None:
    """A sound track that nothing decodes is refused in one sentence."""
    header = b"RIFF\x44\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\x20\0\0\0"
    content = bytearray(header + b"\1" * 32)
    content[place : place + 2] = value.to_bytes(2, "little")
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(BadSound, match=r"expected sound.* in '.*x.wav', got"):
        list(SoundFile(str(tmp_path / "x.wav")).pieces())


@pytest.mark.parametrize("rate", [0, 1, 3_999, 192_001, 2**30])
def test_a_rate_that_no_sound_has(tmp_path: Path, rate: int) -> None:
    """A rate past every sound's is refused, before a resampler for it takes gigabytes."""
    header = b"RIFF\x44\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0%s\0}\0\0\2\0\x10\0data\x20\0\0\0" % rate.to_bytes(
        4, "little"
    )
    (tmp_path / "x.wav").write_bytes(header + b"\1" * 32)
    with pytest.raises(BadSound, match="expected sound"):
        list(SoundFile(str(tmp_path / "x.wav")).pieces())


def test_pictures_only(tmp_path: Path) -> None:
    """A file without a sound track is refused."""
    from tests.clients.test_video_file import write_video

    write_video(tmp_path / "x.mp4", sound=False)
    with pytest.raises(BadSound, match=r"expected sound in '.*x.mp4', got none"):
        SoundFile(str(tmp_path / "x.mp4"))


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is told in the system's words."""
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*none\.wav"):
        SoundFile(str(tmp_path / "none.wav"))


def test_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal, or no input at all, is no sound."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(BadSound, match="expected sound from a pipe in '-', got a terminal or no input"):
            SoundFile("-")
