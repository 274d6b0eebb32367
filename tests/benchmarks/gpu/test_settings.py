"""benchmarks/gpu/settings.py"""

from pathlib import Path

import pytest

from benchmarks.gpu.settings import CUDA, STAND_IN, BadSetting, Settings, settings_for
from export.contract import MAX_BATCH_SIZE


def test_a_process_is_handed_the_same():
    """What is written as JSON is read as the same settings."""
    settings = settings_for(STAND_IN, Path("/site"), "half", 1.5)
    assert Settings.from_json(settings.to_json()) == settings


def test_windows_shrink_with_the_minutes():
    """Half the minutes halve each measurement, but not below what can be measured at all."""
    windows = [settings_for(CUDA, Path("/site"), "wide", minutes).window_s for minutes in (16, 8, 4, 0.5)]
    assert windows == [1.0, 1.0, 0.5, 0.2]


def test_a_stand_in_has_little_to_do():
    """On a CPU batches and callers are few, on a card they go to where it is full."""
    card, cpu = (settings_for(device, Path("/site"), "wide", 8) for device in (CUDA, STAND_IN))
    assert sorted(card.batch_sizes) == [1, 2, 4, 8, 16, 32, 64]
    assert max(card.batch_sizes) == card.largest_batch
    assert card.instances == (1, 2, 4, 8)
    assert (card.rate, cpu.rate) == (1000, 5)
    assert (max(cpu.batch_sizes), cpu.largest_batch) == (2, MAX_BATCH_SIZE)


@pytest.mark.parametrize(
    ("device", "minutes", "said"),
    [
        ("tpu", 8, "--device: expected one of cuda, cpu-stand-in, got tpu"),
        (CUDA, 0.1, "--minutes: expected 0.2 or more, got 0.1"),
        (CUDA, float("nan"), "--minutes: expected 0.2 or more, got nan"),
    ],
)
def test_what_cannot_work(device, minutes, said):
    """A bad value is refused with what was expected and what came."""
    with pytest.raises(BadSetting) as caught:
        settings_for(device, Path("/site"), "wide", minutes)
    assert str(caught.value) == said
