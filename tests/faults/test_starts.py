"""Starts that cannot succeed, and starts after everything was killed: one sentence, exit code 1, and nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.conftest import Clip, Workspace
from tests.embedded.processes import Family, find_family
from tests.export.sources import tree
from tests.export.test_full_disk import FACES_BYTES, run_import, small_disk
from tests.faults.bridges import free_port
from tests.faults.conftest import Report
from tests.faults.report import Goal, Line

READY_S = 60.0
START_GOAL = Goal(wait_s=10.0, normal_s=20.0)
"""A start beside another one on two cores; the models take three seconds of a quiet one."""

IMPORT_GOAL = Goal(wait_s=20.0, normal_s=None)


@contextlib.asynccontextmanager
async def start(repository: Path, ports: tuple[int, int, int]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``python -m embedded`` on these ports, for HTTP, gRPC and metrics."""
    options = zip(("--http-port", "--grpc-port", "--metrics-port"), map(str, ports), strict=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded", "--quiet", "--model-repository", str(repository)),
        *(word for option in options for word in option),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_two_starts_at_once(workspace: Workspace, report: Report) -> None:
    """Of two starts on the same ports one serves; then all of its processes are killed, and the next start serves."""
    loop, repository = asyncio.get_running_loop(), workspace.model_repository
    ports = (free_port(), free_port(), free_port())
    begin_s = loop.time()
    async with start(repository, ports) as one, start(repository, ports) as other:
        loser = await first_to_exit(one, other)
        refused_s = loop.time() - begin_s
        assert loser.stderr is not None
        said = (await loser.stderr.read()).decode().splitlines()
        winner = other if loser is one else one
        await ready(winner)
        misses = [] if (loser.returncode, len(said)) == (1, 1) else [f"expected exit code 1, got {said}"]
        line = Line(
            "two starts at once", 0, 0, refused_s, loop.time() - begin_s, " ".join(said), tuple(misses)
        )
        report(line, START_GOAL)
        family = find_family(f"--grpc-port={ports[1]}", with_part="tritonserver")
        winner.kill()
        for process in family.members:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    report(await start_again(repository, ports, family), START_GOAL)


async def start_again(repository: Path, ports: tuple[int, int, int], old: Family) -> Line:
    """Start where everything was killed; look that nothing of it is left, and nothing of the new one either."""
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    async with start(repository, ports) as process:
        await ready(process)
        ready_s = loop.time() - begin_s
        new = find_family(f"--grpc-port={ports[1]}", with_part="tritonserver")
        await asyncio.to_thread(old.wait_gone)
        process.terminate()
        code = await asyncio.wait_for(process.wait(), READY_S)
        await asyncio.to_thread(new.wait_gone)
    misses = () if code == 0 else (f"expected exit code 0 after SIGTERM, got {code}",)
    return Line("SIGKILL of everything, then a start", 0, 0, 0.0, ready_s, "nothing left of either", misses)


async def first_to_exit(*processes: asyncio.subprocess.Process) -> asyncio.subprocess.Process:
    """Return whichever ends first."""
    waiting = {asyncio.create_task(process.wait()): process for process in processes}
    done, pending = await asyncio.wait(waiting, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    assert done, "expected one of two starts on the same ports to end, got none"
    return waiting[done.pop()]


async def ready(process: asyncio.subprocess.Process) -> None:
    """Wait until a start says that its Triton is ready."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    assert line.startswith(b"Triton is ready"), line


async def test_full_disk(clip: Clip, tmp_path: Path, report: Report) -> None:
    """An import onto a full disk ends with one sentence, and leaves nothing there."""
    loop, disk = asyncio.get_running_loop(), tmp_path / "disk"
    with small_disk(disk, FACES_BYTES // 4):
        begin_s = loop.time()
        code, said = await asyncio.to_thread(run_import, clip, disk / "avatars", tmp_path / "models")
        left = list(tree(disk))
    misses = (
        [] if code == 1 and len(said) == 1 else [f"expected exit code 1 and a sentence, got {code}: {said}"]
    )
    misses += [f"expected nothing to be left, got {left}"] if left else []
    remarks = "exit code 1, one sentence, nothing left" if not misses else ""
    line = Line("full disk at an import", 0, 0, loop.time() - begin_s, 0.0, remarks, tuple(misses))
    report(line, IMPORT_GOAL)
