"""bridge/wav.py"""

import io
import wave

from bridge.wav import encode_wav


def test_wav():
    """The file holds the samples as they were given, 16 kHz mono, 16 bits each."""
    with wave.open(io.BytesIO(encode_wav(b"\1\2\3\4\5\6"))) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 3)
        assert file.readframes(3) == b"\1\2\3\4\5\6"
