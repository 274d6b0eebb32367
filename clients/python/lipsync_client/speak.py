"""``python -m lipsync_client speak``: a sound and an avatar become a video with sound.

Exit status: 0 when the video is there, 1 when it is not, 2 for bad arguments, 130 after Ctrl-C. A video that is not
complete is never left behind.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lipsync_client.errors import InvalidSetting, InvalidUrl, LipsyncError, TransportNotInstalled
from lipsync_client.speech_wire import FORMATS, FPS

if TYPE_CHECKING:
    from lipsync_client.sound_file import SoundFile

__all__ = ["main"]

SIGTERM_STATUS = 128 + signal.SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Make the video and return the exit status."""
    parser = _build_parser()
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != ".mp4":
        parser.error(f"argument --out: expected a name that ends in .mp4, got {str(args.out)!r}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(SIGTERM_STATUS))  # so that it tidies up, too
    try:
        _require_video()
        _speak(args)
    except (InvalidUrl, InvalidSetting) as exc:
        parser.error(str(exc))
    except (LipsyncError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _require_video() -> None:
    try:
        import av  # noqa: F401
        import cv2  # noqa: F401
        import tqdm  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as exc:
        raise TransportNotInstalled("speak", "video") from exc


def _speak(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from lipsync_client.sound_file import RawFormat, SoundFile
    from lipsync_client.speech_settings import parse_bridge_url
    from lipsync_client.spoken_video import speak

    parse_bridge_url(args.url)  # a typing mistake is told before a pipe is waited for
    sound = SoundFile(args.audio, RawFormat(args.raw, args.sample_rate) if args.raw else None)
    started = time.perf_counter()
    with tqdm(total=_picture_count(sound), unit=" pictures", disable=None) as bar:
        spoken = speak(
            args.url,
            args.avatar,
            sound,
            args.out,
            progress=bar.update,
            answer_timeout_s=args.answer_timeout_s,
            token=args.token,
        )
    elapsed_s = time.perf_counter() - started
    length_s = spoken.pictures / FPS
    print(
        f"{args.out}: {spoken.pictures} pictures, {length_s:.2f} s, "
        f"made in {elapsed_s:.1f} s ({length_s / elapsed_s:.1f} times as fast as it plays)"
    )
    if spoken.repeated:
        print(
            f"warning: the bridge left out {spoken.repeated} pictures; each shows the one before it",
            file=sys.stderr,
        )


def _picture_count(sound: SoundFile) -> int | None:
    return None if sound.duration_s is None else -(-int(sound.duration_s * FPS * 1000) // 1000)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lipsync_client speak",
        description="Make a video (H.264 and AAC in MP4) in which an avatar says a sound.",
    )
    parser.add_argument(
        "--url", default="http://localhost:8086", help="of the bridge (default: http://localhost:8086)"
    )
    parser.add_argument("--avatar", required=True, help="whose face speaks")
    parser.add_argument(
        "--audio", required=True, metavar="FILE", help="WAV, MP3 and the like; - reads it from a pipe"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the video, *.mp4; replaced")
    parser.add_argument(
        "--raw", choices=sorted(FORMATS), help="the sound has no header, and is mono samples of this format"
    )
    parser.add_argument(
        "--sample-rate", type=_sample_rate, default=16_000, metavar="HZ", help="of --raw (default: 16000)"
    )
    parser.add_argument(
        "--answer-timeout-s",
        type=float,
        default=60.0,
        metavar="S",
        help="deadline of the next picture (default: 60)",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("LIPSYNC_TOKEN") or None,
        help="shown to a bridge that asks for one (default: LIPSYNC_TOKEN, where other users cannot see it)",
    )
    return parser


def _sample_rate(text: str) -> int:
    if not text.isdecimal() or not 1000 <= int(text) <= 384_000:
        raise argparse.ArgumentTypeError(f"expected an integer from 1000 to 384000, got {text!r}")
    return int(text)
