"""benchmarks/simulation/scenarios.py, in its quick form"""

import pytest

from benchmarks.simulation.cell import CPU
from benchmarks.simulation.effort import QUICK
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.scenarios import SIZES, study

KNOWN = Parameters.read()


@pytest.fixture(scope="module")
def found():
    """All tables of the quick form, made once."""
    return list(study(KNOWN, QUICK))[-1]


def rows(found, name):
    return next(table.rows for table in found.tables if table.name == name)


def test_tables(found):
    """Each table has rows, and each row the columns of the first."""
    names = [table.name for table in found.tables]
    assert names == ["cells", "fleets", "limits", "failures", "overload", "caches", "bursts"]
    for table in found.tables:
        assert {tuple(row) for row in table.rows} == {tuple(table.rows[0])}


def test_fleets_of_all_sizes(found):
    """There is a row for each size, and a thousand carry more than a hundred times as much as ten."""
    fleets = [row for row in rows(found, "fleets") if row["of"] == CPU.name]
    assert [row["Tritons"] for row in fleets] == list(SIZES)
    assert fleets[3]["speaking at once"] >= 100 * fleets[1]["speaking at once"] > 0


def test_failover_loses_nothing(found):
    """Of several Tritons one may fail without a failed frame; of one, frames fail."""
    failures = rows(found, "failures")
    assert all(row["failed"] <= 1 for row in failures if row["Tritons"] > 1)
    assert any(row["failed"] > 1 for row in failures if row["Tritons"] == 1)


def test_sharding_keeps_clips_in_caches(found):
    """There is a number of avatars that fit a quarter of the Tritons each, and not all of them."""
    shares = [
        [int(str(cell).rstrip("%")) for cell in list(row.values())[2:]] for row in rows(found, "caches")
    ]
    assert any(together < sharded == 100 for together, sharded in shares)
    assert shares[0] == [100, 100]


def test_an_autoscaler_helps(found):
    """Scaled on live sessions fewer give up than without."""
    bursts = {(row["scaled on"], row["a new Triton starts on"]): row for row in rows(found, "bursts")}
    (warm, *_) = [start for name, start in bursts if name == "live sessions"]
    alone, scaled = (
        float(bursts[name, warm]["gave up"].rstrip("%")) for name in ("nothing", "live sessions")
    )
    assert scaled < alone
