"""``triton-lipsync COMMAND``: the project's commands, where it is installed from a wheel as in a checkout.

A wheel carries one import name, this package, and the folders of the checkout lie in it. Their modules import each
other by the checkout's names (``bridge``, ``export``, …), so this puts the folder that holds them first on the path of
this process and of its children, and of nobody else's.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["COMMANDS", "main"]

PACKAGE = Path(__file__).resolve().parent
START = "triton_lipsync.start"
AVATAR = Path("avatars", "demo", "avatar.json")

COMMANDS = {
    "demo": (START, "draw the demo avatar into this folder where it is missing, then start"),
    "start": (START, "serve ./model_repository: Triton, bridge and page"),
    "export": ("export.__main__", "import an avatar and write its models for Triton"),
    "training": ("training.__main__", "train an audio encoder and a network on dataset folders"),
    "embedded": ("embedded.__main__", "Triton alone, without a container"),
    "gpu": (
        "embedded.gpu",
        "install that package of ONNX Runtime which suits this machine: NVIDIA card or CPU",
    ),
    "bridge": ("bridge.__main__", "the bridge alone, in front of Tritons that run elsewhere"),
}
"""Each command's module, whose ``main(argv, prog)`` runs it, and what it does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 2 for a command that does not exist."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments else "--help"
    if command in ("-h", "--help"):
        print(_usage())
        return 0
    if command not in COMMANDS:
        print(f"triton-lipsync: expected one of {', '.join(COMMANDS)}, got {command}", file=sys.stderr)
        return 2
    _put_on_path(_folder())
    return 1 if command == "demo" and not _demo_is_there(arguments) else _run(command, arguments)


def _folder() -> Path:
    """Return the folder that holds ``bridge/``, ``export/`` and the rest: this package's own in a wheel."""
    return PACKAGE if (PACKAGE / "bridge").is_dir() else PACKAGE.parent


def _put_on_path(folder: Path) -> None:
    sys.path.insert(0, str(folder))
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), inherited]))


def _run(command: str, arguments: list[str]) -> int:
    run: Callable[..., int] = importlib.import_module(COMMANDS[command][0]).main
    return run(arguments, prog=f"triton-lipsync {command}")


def _demo_is_there(arguments: list[str]) -> bool:
    """Draw the demo avatar where it is missing and more than help is wanted; return whether that went well."""
    if AVATAR.is_file() or {"-h", "--help"} & set(arguments):
        return True
    return int(importlib.import_module("demo.avatar").main()) == 0


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {meaning}" for name, (_, meaning) in COMMANDS.items())
    return "\n".join(
        ["usage: triton-lipsync COMMAND [--help] …", "", *lines, "", "demo takes the options of start."]
    )


if __name__ == "__main__":
    sys.exit(main())
