"""A Triton that dies or stands still while somebody speaks: no picture is missing, and each is the right one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import numpy as np
import pytest

from lipsync_client import connect_speech
from tests.faults.conftest import Report
from tests.faults.report import Goal, Line
from tests.faults.tritons import Tritons
from tests.test_live_speech import SENTENCE, expected

pytestmark = pytest.mark.parametrize("tritons", ["replay"], indirect=True)

STRUCK_AT = 12
"""The picture after which the Triton is struck."""

GOAL = Goal(wait_s=1.0, normal_s=None)


@pytest.mark.parametrize(
    ("fault", "number"), [("SIGKILL", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)], ids=["kill", "stop"]
)
async def test_live_speech(tritons: Tritons, report: Report, fault: str, number: int) -> None:
    """A sentence is said as fast as it is painted, and one of two Tritons is struck in its middle."""
    await tritons.ready()
    reference = await asyncio.to_thread(expected, tritons.servers[0], SENTENCE.astype(np.float32) / 32768)
    try:
        came, at_s = await speak(tritons, number)
    finally:
        tritons.signal(signal.SIGCONT)
    report(line_of(f"{fault} of one of two Tritons in mid-sentence", came, at_s, reference), GOAL)


async def speak(tritons: Tritons, number: int) -> tuple[dict[int, bytes], list[float]]:
    """Return each picture by its first sample, and when they came; the signal befalls one Triton meanwhile."""
    came: dict[int, bytes] = {}
    at_s: list[float] = []
    loop = asyncio.get_running_loop()
    async with tritons.bridge("--speech-admission", "off") as bridge:
        url = f"http://127.0.0.1:{bridge.port}"
        async with connect_speech(url, "demo", pacing="none", answer_timeout_s=30.0) as session:
            await session.send(SENTENCE.astype("<i2").tobytes())
            await session.end()
            async for picture in session.until_ended():
                came[picture.sample] = bytes(picture.jpeg)
                at_s.append(loop.time())
                if len(came) == STRUCK_AT:
                    tritons.signal(number)
    return came, at_s


def line_of(fault: str, came: dict[int, bytes], at_s: Sequence[float], reference: Sequence[bytes]) -> Line:
    """Compare the pictures that came with those that plain requests give."""
    right = {index * len(SENTENCE) // len(reference): jpeg for index, jpeg in enumerate(reference)}
    missing = len(right.keys() - came.keys())
    wrong = sum(came.get(sample, jpeg) != jpeg for sample, jpeg in right.items())
    gaps_s = np.diff(at_s)
    remarks = (
        f"{missing} missing, {wrong} wrong; median {np.median(gaps_s) * 1000:.0f} ms from one to the next"
    )
    return Line(fault, len(reference), missing + wrong, float(gaps_s.max()), 0.0, remarks)
