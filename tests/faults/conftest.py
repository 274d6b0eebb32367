"""Real parts for the faults: Tritons that are shared, a bridge for each test, and the table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

import embedded
from benchmarks.machine import describe_machine, today
from embedded import EmbeddedConfig
from tests.conftest import Workspace, running_triton
from tests.faults.report import JUDGED, Goal, Line, format_table, write_json
from tests.faults.tritons import Tritons

LINES = pytest.StashKey[list[Line]]()
LOAD = pytest.StashKey[float]()
MISSES = pytest.StashKey[list[str]]()

Report = Callable[[Line, Goal], None]
"""Notes a line for the table, and fails the test if it misses its goal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file that the table is written to, and what is judged."""
    parser.addoption("--faults-json", type=Path, help="file that the table of faults is written to, as JSON")
    parser.addoption(
        "--faults-judged",
        choices=JUDGED,
        default=JUDGED[0],
        help="times: every goal; outcome: what no machine is too slow for (default: times)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep room for the lines, and note what else the machine does."""
    config.stash[LINES], config.stash[LOAD] = [], os.getloadavg()[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``make test-faults`` runs, and have tests with the same Tritons follow one another."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in ours:
        item.add_marker(pytest.mark.faults)
    items[:] = [item for item in items if item not in set(ours)] + sorted(ours, key=_strategy)


def _strategy(item: pytest.Item) -> str:
    """Return the strategy of the Tritons that a test runs on, empty if it has none."""
    callspec = getattr(item, "callspec", None)
    return "" if callspec is None else str(callspec.params.get("tritons", ""))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("faults")
        busy = f"{config.stash[LOAD]:.1f} processes were running before"
        terminalreporter.write_line(f"{today()}, {describe_machine()}; {busy}\n")
        terminalreporter.write_line(format_table(lines))
    if lines and (path := config.getoption("faults_json", None)):
        write_json(lines, path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose lines miss their goals, once all of them are known."""
    result = yield
    if misses := item.stash.get(MISSES, []):
        pytest.fail("\n".join(misses), pytrace=False)
    return result


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Call it with a line and its goal."""

    judged = request.config.getoption("--faults-judged", JUDGED[0])

    def note(line: Line, goal: Goal) -> None:
        request.config.stash[LINES].append(line)
        sentences = [f"{line.fault}: {sentence}" for sentence in line.missed(goal, judged)]
        request.node.stash.setdefault(MISSES, []).extend(sentences)

    return note


@pytest.fixture(scope="session")
def tritons(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Tritons]:
    """Two real Tritons; the parameter is their strategy."""
    config = EmbeddedConfig(
        model_repository=workspace.model_repository,
        strategy=request.param,
        processes=2,
        http_port=0,
        stop_timeout_s=3,
    )
    with (
        running_triton(config) as servers,
        embedded.keep_secret_file(config, servers[0]) as secret_file,
    ):
        yield Tritons(servers, secret_file)
