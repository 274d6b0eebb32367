"""LoadPackage: a package below the operator's folder, through the importer, into the model repository and Triton.

The importer is a process of its own: it may need PyTorch, which serving never imports, and it reads files that others
wrote. It has limits of memory, time and what it writes. Nothing outside ``packages_dir`` is read: no path leads out of
it, and no symbolic link is followed, which is looked at here for a quick answer, and by the importer as it copies the
package. What is served already stays, unless it was made of the same package.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from bridge.balancer import Balancer
from bridge.config import IMPORT_OFF, BridgeConfig
from bridge.errors import ImportFailed, PackageRefused, shown

__all__ = ["PackageLoader", "allowed_folder"]

IMPORT = ("-m", "export", "avatar")
ERROR_PREFIX = "error: "
LARGEST_FILE_BYTES = 16 << 30
"""That an import may write: the faces of half an hour at 25 a second."""

MOST_FILES = 10_000
"""As the importer takes in a package."""

LONGEST_SENTENCE = 1000
UNDO_S = 5.0


class PackageLoader:
    """Imports packages, one at a time."""

    def __init__(self, config: BridgeConfig, balancer: Balancer) -> None:
        self._config = config
        self._balancer = balancer
        self._busy = asyncio.Lock()

    async def load(self, name: str, package_dir: str) -> list[int]:
        """Import a package as avatar ``name``, have every ready Triton load it, return its features' shape.

        Args:
            name: The avatar's name to be.
            package_dir: The package's folder: a path below ``packages_dir``; empty for ``name``.

        Raises:
            PackageRefused: If no import is allowed, this path is not, or another import is under way.
            ImportFailed: If the importer or a Triton cannot use the package, or takes too long.
            NoUpstreamReady: If no Triton is ready to load it.
        """
        config = self._config
        if config.packages_dir == IMPORT_OFF:
            raise PackageRefused("LoadPackage", "an operator who has set BRIDGE_PACKAGES_DIR", "none")
        if name.startswith("-"):  # the importer would take it for an option; it checks the rest itself
            raise PackageRefused("package_name", "an avatar's name", shown(name))
        if self._busy.locked():
            raise PackageRefused("LoadPackage", "one import at a time", "another one under way")
        async with self._busy:
            root = await asyncio.to_thread(Path(config.packages_dir).resolve)
            folder = await asyncio.to_thread(allowed_folder, Path(config.packages_dir), package_dir or name)
            await self._import(name, root, folder)
            await self._balancer.call_all(lambda triton: triton.load_model(name, config.import_timeout_s))
        return await asyncio.to_thread(_features_shape, Path(config.avatars_dir) / name)

    async def _import(self, name: str, root: Path, folder: Path) -> None:
        config = self._config
        keep = () if config.packages_replace == "on" else ("--no-replace",)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *IMPORT, name, "--package", str(folder)),
            *("--below", str(root), *keep),
            *("--avatars", config.avatars_dir, "--model-repository", config.model_repository),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _limit(process.pid, config)
        try:
            _, errors = await asyncio.wait_for(process.communicate(), config.import_timeout_s)
        except asyncio.TimeoutError as exc:
            raise ImportFailed(name, f"it took longer than {config.import_timeout_s:g} s") from exc
        finally:
            if process.returncode is None:
                await _end(process)
        if process.returncode:
            raise ImportFailed(name, _sentence(errors.decode(errors="replace"), process.returncode))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End an importer: it has a moment to undo what is half done."""
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), UNDO_S)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()


def _limit(pid: int, config: BridgeConfig) -> None:
    """Bound what an importer, which has just been started and read nothing yet, may take of the machine.

    Its time is bounded here as well, for where the bridge dies before it.
    """
    seconds = int(config.import_timeout_s * (os.cpu_count() or 1)) + 1
    limits = {
        resource.RLIMIT_AS: config.import_memory_gb << 30,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: LARGEST_FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        for kind, most in limits.items():
            _, hard = resource.prlimit(pid, kind)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, kind, (allowed, allowed))


def allowed_folder(root: Path, asked: str) -> Path:
    """Return the folder that ``asked`` names, which lies below ``root`` and holds plain files and folders only.

    Args:
        root: The operator's folder.
        asked: Relative to ``root``, or an absolute path below it.

    Raises:
        PackageRefused: If it is anything else.
    """
    try:
        folder = _below(root, asked)
        on_the_way = [folder, *folder.parents][: len(folder.relative_to(root.resolve()).parts)]
        for path in (*on_the_way, *islice(folder.rglob("*"), MOST_FILES)):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise PackageRefused("package_dir", "plain files and folders", f"{shown(path.name)} in it")
        if not folder.is_dir():
            raise PackageRefused("package_dir", "a folder", shown(asked))
    except (OSError, ValueError) as exc:  # a name that is too long, a NUL byte, a folder nobody may read
        raise PackageRefused("package_dir", "a folder that can be read", shown(asked)) from exc
    return folder


def _below(root: Path, asked: str) -> Path:
    # lexically: on a path without symbolic links that is the truth, and those are refused
    for base in (root.absolute(), root.resolve()):
        folder = Path(os.path.normpath(base / asked))
        if folder != base and folder.is_relative_to(base):
            return root.resolve() / folder.relative_to(base)
    raise PackageRefused("package_dir", "a folder below the one the operator allowed", shown(asked))


def _sentence(errors: str, code: int) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    sentences = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    return (sentences or lines or [f"exit code {code}"])[-1][:LONGEST_SENTENCE]


def _features_shape(avatar: Path) -> list[int]:
    return list(np.load(avatar / "audio_features.npy", mmap_mode="r").shape)
