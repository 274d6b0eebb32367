"""triton_lipsync/compute.py"""

from __future__ import annotations

import pytest

from triton_lipsync.compute import describe_compute

HEAD = """# HELP nv_inference_count Number of inferences performed
# TYPE nv_inference_count counter
nv_inference_count{model="demo",version="1"} 12
"""
METRIC = """# HELP lipsync_compute 1 for each instance of a model, by what it computes on
# TYPE lipsync_compute gauge
"""


def reported(*rows: tuple[str, str, str, str, int]) -> str:
    """Return what Triton answers."""
    lines = (
        f'lipsync_compute{{device="{device}",instance="{number}",model="{model}",'
        f'provider="{provider}",reason="{reason}"}} {value}'
        for number, (model, device, provider, reason, value) in enumerate(rows)
    )
    return HEAD + METRIC + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        (
            [("demo_unet", "CPU", "CPU", "", 1), ("demo_speech", "CPU", "CPU", "", 1)],
            ["demo_speech, demo_unet on the CPU"],
        ),
        (
            [("demo_unet", "NVIDIA H200", "CUDA", "", 1)] * 2 + [("demo_speech", "CPU", "CPU", "", 1)],
            ["demo_unet on NVIDIA H200 (CUDA)", "demo_speech on the CPU"],
        ),
        ([("demo_unet", "CPU", "CPU", "no cuDNN", 1)], ["demo_unet on the CPU: no cuDNN"]),
        ([("gone", "CPU", "CPU", "", 0)], []),
        (
            [(f"avatar{number}_unet", "CPU", "CPU", "", 1) for number in range(7)],
            ["avatar0_unet, avatar1_unet, avatar2_unet, avatar3_unet and 3 more on the CPU"],
        ),
    ],
    ids=["all on the CPU", "one on a card", "with a reason", "unloaded", "many"],
)
def test_lines(rows: list[tuple[str, str, str, str, int]], lines: list[str]) -> None:
    """A line names a device, what computes on it, and why it is not the one asked for."""
    assert describe_compute(reported(*rows)) == lines


def test_triton_that_does_not_say() -> None:
    """A Triton whose models report nothing, as in its container, is no line."""
    assert describe_compute(HEAD) == []
