"""What the service costs, beside one that pushes a still picture: ``python -m tests.agents.pipecat.figures --url URL``.

Prints, of each: the time from an utterance's first sound to its first picture, and from an interruption to its arrival
behind the service, in ms; how much of an old sentence came after an interruption; and over minutes of speech, how far
sound and pictures drift apart, in samples. Sentences are constant tones, each of its own
number, so that a single sample in the wrong place is found.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_lipsync import LipSyncVideoService
from tests.agents.pipecat.pipeline import Conversation, audio_of, running_pipeline, said, tone, voice

__all__ = ["main"]

RATE = 16_000
SENTENCE_S, REPLY_S = 6.0, 0.2
MOST_PICTURES = 5
"""Of a sentence before it is interrupted; the least is none."""

FIGURE_WIDTH = 58


class StillPicture(FrameProcessor):
    """The least that a face could be: a still picture before each piece of sound, which goes on at once."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            picture = OutputImageRawFrame(bytes(512 * 512 * 3), (512, 512), "RGB")
            picture.metadata["lipsync"] = {"sample": 0, "epoch": 0}
            await self.push_frame(picture)
        await self.push_frame(frame, direction)


@dataclass
class Trial:
    """What one interrupted sentence showed.

    Attributes:
        first_picture_ms: From the sentence's first sound to its first picture; NaN where it came to none.
        interruption_ms: From the interruption to its arrival behind the service.
        leaked_samples: Of the old sentence, after that.
        leaked_pictures: Of the old sentence, after that.
        lost_samples: Of the new sentence.
    """

    first_picture_ms: float
    interruption_ms: float
    leaked_samples: int
    leaked_pictures: int
    lost_samples: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 0, or 1 where anything leaked, was lost or drifted."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.pipecat.figures", description=__doc__)
    parser.add_argument("--url", default="http://localhost:8086", help="a bridge (default: %(default)s)")
    parser.add_argument("--avatar", default="demo", help="whose face (default: %(default)s)")
    parser.add_argument(
        "--trials", type=int, default=100, help="interruptions (default: %(default)s; 0: none)"
    )
    parser.add_argument(
        "--pacing",
        default="none",
        help="of that speech: none, as fast as Triton paints, or real_time (default: none)",
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of speech for drift (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    logger.remove()
    return asyncio.run(_measure(args))


async def _measure(args: argparse.Namespace) -> int:
    wrong = await _interruptions(args) if args.trials else 0
    if args.minutes:
        wrong += await _drift(args)
    return 1 if wrong else 0


async def _interruptions(args: argparse.Namespace) -> int:
    """Show what interruptions cost; return how much was leaked or lost."""
    still = await _trials(StillPicture(), args.trials)
    service = LipSyncVideoService(url=args.url, avatar=args.avatar, picture_timeout_s=60)
    trials = await _trials(service, args.trials)
    _show("of each: p50, p95", "face", "still picture")
    for name in ("first_picture_ms", "interruption_ms"):
        _show(name, *(_percentiles([getattr(trial, name) for trial in each]) for each in (trials, still)))
    wrong = 0
    for name in ("leaked_samples", "leaked_pictures", "lost_samples"):
        total = sum(getattr(trial, name) for trial in trials)
        wrong += total
        _show(f"{name}, {len(trials)} trials", str(total), "")
    return wrong


async def _trials(processor: FrameProcessor, count: int) -> list[Trial]:
    async with running_pipeline(processor) as running:
        if isinstance(processor, LipSyncVideoService):
            await running.opened()
        trials: list[Trial] = []
        while len(trials) < count:
            trial = await _trial(running, len(trials))
            trials += [trial] if trial else []
        return trials


async def _trial(running: Conversation, number: int) -> Trial | None:
    """Interrupt a sentence a moment after it has begun, each time a little later, and say another.

    None where the sentence was over before: a machine that is too slow leaves pictures out.
    """
    listener = running.listener
    listener.forget()
    old, new = 2 * number + 1, 2 * number + 2
    began_s = time.monotonic()
    await running.say(*said(tone(old, SENTENCE_S)), TTSStoppedFrame())
    wanted = number % MOST_PICTURES
    await listener.until(lambda frames: len(_spoken(frames)) >= wanted or _is_over(frames))
    if len(_spoken(listener.frames)) < wanted:
        return None
    pictures = _spoken(listener.frames)
    first_s = listener.times_s[listener.frames.index(pictures[0])] if pictures else math.nan
    asked_s = time.monotonic()
    await running.say(InterruptionFrame())
    await listener.until(lambda frames: any(isinstance(frame, InterruptionFrame) for frame in frames))
    place = [type(frame) for frame in listener.frames].index(InterruptionFrame)
    arrived_s = listener.times_s[place]
    await running.say(*said(tone(new, REPLY_S)), TTSStoppedFrame())
    await listener.until(lambda frames: _is_over(frames[place:]))
    after = listener.frames[place:]
    heard = np.frombuffer(audio_of(after), np.int16)
    epochs = [image.metadata["lipsync"]["epoch"] for image in _images(after)]
    return Trial(
        first_picture_ms=1000 * (first_s - began_s),
        interruption_ms=1000 * (arrived_s - asked_s),
        leaked_samples=int((heard == old).sum()),
        leaked_pictures=sum(epoch < max(epochs) for epoch in epochs),
        lost_samples=round(REPLY_S * RATE) - int((heard == new).sum()),
    )


async def _drift(args: argparse.Namespace) -> int:
    """Show how far sound and pictures drift apart; return the greatest distance and what was lost, in samples."""
    service = LipSyncVideoService(
        url=args.url, avatar=args.avatar, pacing=args.pacing, full_frame=False, picture_timeout_s=60
    )
    pcm = voice(60 * args.minutes)
    began_s = time.monotonic()
    greatest, sound, pictures = 0, 0, 0
    async with running_pipeline(service) as running:
        await running.opened()
        await running.say(*said(pcm), TTSStoppedFrame())
        while True:
            await running.listener.until(lambda frames: frames)
            frames = list(running.listener.frames)
            running.listener.forget()
            for frame in frames:
                if isinstance(frame, OutputImageRawFrame) and _spoken([frame]):
                    greatest = max(greatest, abs(frame.metadata["lipsync"]["sample"] - sound))
                    pictures += 1
                elif isinstance(frame, TTSAudioRawFrame):
                    sound += frame.num_frames
            if _is_over(frames):
                break
    lost = len(pcm) - sound
    _show(f"drift_samples, {pictures} pictures in {time.monotonic() - began_s:.0f} s", str(greatest), "")
    _show(f"lost_samples, {args.minutes:g} minutes", str(lost), "")
    return greatest + lost


def _is_over(frames: list[Frame]) -> bool:
    return any(isinstance(frame, TTSStoppedFrame) for frame in frames)


def _images(frames: list[Frame]) -> list[OutputImageRawFrame]:
    return [frame for frame in frames if isinstance(frame, OutputImageRawFrame)]


def _spoken(frames: list[Frame]) -> list[OutputImageRawFrame]:
    return [image for image in _images(frames) if image.metadata["lipsync"]["sample"] is not None]


def _percentiles(values: list[float]) -> str:
    return f"{np.nanpercentile(values, 50):.1f}, {np.nanpercentile(values, 95):.1f}"


def _show(name: str, face: str, still: str) -> None:
    print(f"{name:<{FIGURE_WIDTH}} {face:>16} {still:>16}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
