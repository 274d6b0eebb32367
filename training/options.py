"""Options that the commands of training share."""

from __future__ import annotations

import argparse
import os

from export.options import above_zero, at_least

__all__ = ["add_budget", "add_threads", "add_width"]


def add_budget(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add when to stop, by steps or by minutes: exactly one of them.

    Args:
        parser: Of the command.
        verb: What the command does until then.
    """
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=at_least(1), metavar="N", help=f"{verb} for N steps")
    budget.add_argument("--minutes", type=above_zero, metavar="M", help=f"{verb} for M minutes")


def add_width(parser: argparse.ArgumentParser) -> None:
    """Add the U-Net's width."""
    parser.add_argument(
        "--width", type=float, choices=(0.5, 1.0), default=0.5, help="of the U-Net (default 0.5)"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add how many cores to use."""
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=os.cpu_count(),
        metavar="N",
        help="default: one for each core",
    )
