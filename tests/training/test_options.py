"""training/options.py"""

import argparse
import os

import pytest

from training.options import add_budget, add_threads, add_width


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    add_budget(parser, "teach")
    add_width(parser)
    add_threads(parser)
    return parser


def test_defaults(parser):
    """Half width, and a thread for each core."""
    args = parser.parse_args(["--steps", "3"])
    assert (args.steps, args.minutes, args.width, args.threads) == (3, None, 0.5, os.cpu_count())
    assert "teach for M minutes" in parser.format_help()


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--steps", "3", "--minutes", "1"],
        ["--steps", "0"],
        ["--minutes", "0"],
        ["--steps", "3", "--width", "0.7"],
        ["--steps", "3", "--threads", "0"],
    ],
)
def test_what_cannot_be(parser, wrong):
    """One budget is needed, and numbers that can be."""
    with pytest.raises(SystemExit):
        parser.parse_args(wrong)
