from __future__ import annotations

import io
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.errors import BadSound
from speech.streaming import resample
from speech.wav import encode_wav, mix_channels, read_speech, read_wav, to_int16


def write(path: Path, data: bytes, *, width: int = 2, rate_hz: int = 16_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(data)
    return path


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


def pcm16(samples: np.ndarray) -> bytes:
    return (samples * 32767).round().astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("width", "data"),
    [
        (1, bytes([128, 192, 64])),
        (2, struct.pack("<3h", 0, 16384, -16384)),
        (3, b"\x00\x00\x00\x00\x00\x40\x00\x00\xc0"),
        (4, struct.pack("<3i", 0, 1 << 30, -(1 << 30))),
    ],
)
def test_sample_widths(tmp_path: Path, width: int, data: bytes) -> None:
    """Zero and plus and minus half of full scale read the same from 8, 16, 24 and 32 bits."""
    assert read_wav(write(tmp_path / "a.wav", data, width=width)).tolist() == [0, 0.5, -0.5]


def extensible(data: bytes, bits: int, channels: int = 1, rate_hz: int = 16_000) -> bytes:
    """Return a WAV file of format 65534, as ffmpeg writes 24 bits and more than two channels."""
    frame = bits // 8 * channels
    pcm = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    form = (
        struct.pack("<HHIIHHHHI", 65534, channels, rate_hz, rate_hz * frame, frame, bits, 22, bits, 0) + pcm
    )
    content = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WAVE" + content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (extensible(b"\x00\x00\x00\x00\x00\x40\x00\x00\xc0", 24), [0, 0.5, -0.5]),
        (extensible(struct.pack("<6h", 16384, 8192, 0, -16384, 0, -8192), 16, channels=3), [0.25, -0.25]),
        (extensible(struct.pack("<2i", 1 << 30, -(1 << 30)), 32), [0.5, -0.5]),
    ],
    ids=["24 bits", "3 channels", "32 bits"],
)
def test_extensible_headers(tmp_path: Path, content: bytes, expected: list[float]) -> None:
    """The header that tells 24 bits and many channels apart is read on every Python."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert read_wav(path).tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("rate_hz", [4_000, 192_000])
def test_rates_at_the_bounds(tmp_path: Path, rate_hz: int) -> None:
    """From 4 to 192 kHz every rate is resampled."""
    samples = read_wav(write(tmp_path / "a.wav", pcm16(tone(rate_hz)), rate_hz=rate_hz))
    np.testing.assert_allclose(samples[800:-800], tone(16_000)[800:-800], atol=2e-3)


@pytest.mark.parametrize("rate_hz", [1, 3_999, 192_001, 2_000_000_000])
def test_rates_that_are_none(tmp_path: Path, rate_hz: int) -> None:
    """A rate that no recorder has is refused before anything is made of it."""
    path = tmp_path / "a.wav"
    path.write_bytes(extensible(pcm16(tone(16_000)), 16, rate_hz=rate_hz))
    with pytest.raises(BadSound) as error:
        read_wav(path)
    assert str(error.value) == f"{path}: expected a rate of 4000 to 192000 Hz, got {rate_hz} Hz"


@pytest.mark.parametrize("size", [2**32 - 1, 2**31, 10**6])
def test_a_size_beyond_the_file(tmp_path: Path, size: int) -> None:
    """A header that claims more samples than there are gives those there are; so a pipe leaves it."""
    content = extensible(pcm16(tone(16_000)), 16)
    place = content.index(b"data") + 4
    path = tmp_path / "a.wav"
    path.write_bytes(content[:place] + struct.pack("<I", size) + content[place + 4 :])
    assert len(read_wav(path)) == 8_000


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (12, b"junk"),
        (16, b"\xff\xff\xff\xff"),
        (22, b"\0\0"),
        (22, b"\xff\xff"),
        (24, bytes(4)),
    ],
    ids=[
        "no format",
        "format beyond the file",
        "no channel",
        "65535 channels",
        "0 Hz",
    ],
)
def test_headers_that_lie(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], place: int, value: bytes
) -> None:
    """A damaged header is one sentence, and nothing else on the terminal."""
    content = extensible(pcm16(tone(16_000)), 16)
    path = tmp_path / "a.wav"
    path.write_bytes(content[:place] + value + content[place + len(value) :])
    with pytest.raises(BadSound) as error:
        read_wav(path)
    assert str(error.value).startswith(f"{path}: expected a PCM WAV file of 8, 16, 24 or 32 bits, got ")
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "subtype"), [("FLAC", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("AIFF", "PCM_16")]
)
def test_sounds_of_other_kinds(tmp_path: Path, kind: str, subtype: str) -> None:
    """What is no PCM, or no WAV, is refused by what it is."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000, format=kind, subtype=subtype)
    with pytest.raises(BadSound, match=r"expected a PCM WAV file of 8, 16, 24 or 32 bits, got .+, .+"):
        read_wav(path)


def test_a_tone_does_not_ring_into_the_start(tmp_path: Path) -> None:
    """A sound that ends loud leaves its silent beginning silent: the spectrum wraps round within the margin."""
    samples = np.concatenate([np.zeros(4_800), 0.9 * np.ones(4_800)])
    resampled = read_wav(write(tmp_path / "a.wav", pcm16(samples), rate_hz=48_000))
    assert np.abs(resampled[:400]).max() < 1e-3


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path: Path, rate_hz: int) -> None:
    """A tone of any rate becomes the same tone at 16 kHz."""
    samples = read_wav(write(tmp_path / "a.wav", pcm16(tone(rate_hz)), rate_hz=rate_hz))
    assert len(samples) == 8_000
    middle = slice(800, -800)  # a tone that is cut off rings at its ends
    np.testing.assert_allclose(samples[middle], tone(16_000)[middle], atol=2e-3)


def test_what_16_khz_cannot_hold_is_removed(tmp_path: Path) -> None:
    """A tone of 12 kHz does not come back as one of 4 kHz."""
    samples = read_wav(write(tmp_path / "a.wav", pcm16(tone(48_000, hz=12_000)), rate_hz=48_000))
    assert np.abs(samples[800:-800]).max() < 1e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    """Stereo becomes the mean of both."""
    data = struct.pack("<4h", 16384, 0, 0, -16384)
    assert read_wav(write(tmp_path / "a.wav", data, channels=2)).tolist() == [0.25, -0.25]


@pytest.mark.parametrize(("right", "louder"), [(-1.0, 0), (-0.7, 0), (-1.3, 1)])
def test_channels_that_cancel_each_other(tmp_path: Path, right: float, louder: int) -> None:
    """Of two channels that are each other's opposite the louder is taken, where a mix would be all but silent."""
    channels = np.stack([0.5 * tone(16_000), 0.5 * right * tone(16_000)], axis=1)
    path = write(tmp_path / "a.wav", pcm16(channels.ravel()), channels=2)
    np.testing.assert_allclose(read_wav(path), channels[:, louder], atol=1e-4)
    np.testing.assert_array_equal(mix_channels(channels)[0], channels[:, louder])
    assert mix_channels(channels)[1] == louder


def test_channels_that_do_not(tmp_path: Path) -> None:
    """Channels that differ, one that is silent, and more than two are averaged; nothing is left out."""
    for others in ([tone(16_000, hz=600)], [np.zeros(8000)], [np.zeros(8000)] * 5, []):
        channels = np.stack([tone(16_000), *others], axis=1)
        mix, only = mix_channels(channels)
        np.testing.assert_allclose(mix, channels.sum(axis=1) / channels.shape[1])
        assert only is None


def test_silence_is_refused(tmp_path: Path) -> None:
    """Zeros, and what never exceeds -60 dB, are no speech; the message says how long and how quiet."""
    path = write(tmp_path / "a.wav", bytes(32_000))
    with pytest.raises(BadSound) as error:
        read_speech(path)
    assert str(error.value) == f"{path}: expected speech, got 1.0 s of silence (all zeros)"
    write(path, pcm16(tone(16_000) * 1e-3))
    with pytest.raises(BadSound, match=r"0\.5 s of silence \(peak -66 dB\)"):
        read_speech(path)
    assert len(read_speech(write(path, pcm16(tone(16_000))))) == 8_000


def test_no_wav_file(tmp_path: Path) -> None:
    """A missing file, a file of something else and an empty one are each said to be so."""
    path = tmp_path / "aud.wav"
    with pytest.raises(BadSound, match="got nothing there"):
        read_wav(path)
    path.write_bytes(b"ID3\x03 no wave")
    with pytest.raises(
        BadSound, match="expected a PCM WAV file of 8, 16, 24 or 32 bits, got Format not recognised"
    ):
        read_wav(path)
    write(path, b"")
    with pytest.raises(BadSound, match="expected a sound, got a WAV file of 0 samples"):
        read_wav(path)


def test_a_file_cut_short(tmp_path: Path) -> None:
    """A header without its samples' end gives the samples there are."""
    path = write(tmp_path / "a.wav", pcm16(tone(16_000)))
    path.write_bytes(path.read_bytes()[: 44 + 2 * 1000 + 1])
    assert len(read_wav(path)) == 1000


def test_a_file_of_samples() -> None:
    """The file holds the samples as they were given, 16 kHz mono, 16 bits each."""
    with wave.open(io.BytesIO(encode_wav(b"\1\2\3\4\5\6"))) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 3)
        assert file.readframes(3) == b"\1\2\3\4\5\6"


def test_levels_of_16_bits() -> None:
    """What is louder than full scale is clipped: it does not come out with the other sign."""
    assert to_int16(np.array([0.0, 0.5, 1.0, 2.0, -1.0, -2.0])).tolist() == [
        *(0, 16384, 32767, 32767),
        *(-32768, -32768),
    ]


@pytest.mark.parametrize("rate_hz", [0, 1, 100, 3_999, 192_001, 2_000_000_000])
def test_rates_that_no_sound_has(tmp_path: Path, rate_hz: int) -> None:
    """A header's rate of nothing, or of a hundred or a billion a second, is refused before anything is resampled."""
    path = write(tmp_path / "a.wav", pcm16(tone(16_000)))
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate_hz)
    path.write_bytes(data)
    with pytest.raises(BadSound) as error:
        read_wav(path)
    assert "\n" not in str(error.value)


def test_sounds_that_are_too_large(tmp_path: Path) -> None:
    """More channels, or more hours, than a clip has are refused by the header."""
    path = write(tmp_path / "a.wav", bytes(2 * 33 * 100), channels=33)
    with pytest.raises(BadSound, match=r"expected up to 32 channels, got 33$"):
        read_wav(path)
    write(path, b"", width=1, rate_hz=4_000)
    seconds, data = 7_201, bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 4_000 * seconds)
    path.write_bytes(data)
    os.truncate(path, len(data) + 4_000 * seconds)
    with pytest.raises(BadSound, match=r"expected up to 7200 s of sound, got 7201 s$"):
        read_wav(path)


def test_a_sound_of_many_blocks(tmp_path: Path) -> None:
    """A sound that is read in blocks is the same as one that is resampled whole."""
    channels = np.stack([tone(44_100, seconds=7), tone(44_100, seconds=7, hz=600)], axis=1)
    path = write(tmp_path / "a.wav", pcm16(channels.ravel()), rate_hz=44_100, channels=2)
    stored = np.frombuffer(pcm16(channels.ravel()), "<i2").reshape(-1, 2) / 32768
    np.testing.assert_array_equal(read_wav(path), resample(stored.mean(axis=1), 44_100))
