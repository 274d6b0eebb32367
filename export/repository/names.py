"""Whether an avatar's name is free, for imports that are not to replace what is served."""

from __future__ import annotations

from pathlib import Path

from export.errors import BadSource, NameTaken
from export.repository.avatar import read_avatar

__all__ = ["check_free"]

MODELS = ("", "_frames", "_unet", "_speech", "_live")
"""What an avatar's models are called after its name."""


def check_free(folder: Path, model_repository: Path, origin: str | None) -> None:
    """Check that nothing has an avatar's name, or an avatar of the same origin.

    Args:
        folder: The avatar's folder to be.
        model_repository: Where its models would be written.
        origin: What it is to be made of, as ``Avatar.source`` says it; None: an avatar of any origin is another's.

    Raises:
        NameTaken: If another avatar, or a model, has the name.
    """
    taken = [model_repository / f"{folder.name}{model}" for model in MODELS]
    taken = [path for path in (folder, *taken) if path.exists() or path.is_symlink()]
    if not taken:
        return
    try:
        found = read_avatar(folder).source
    except BadSource:
        raise NameTaken(taken[0], "unknown origin") from None
    if found != origin:
        raise NameTaken(taken[0], found)
