"""benchmarks/simulation/validate.py"""

import pytest

from benchmarks.simulation import validate as validating
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.validate import Compared, summary, validate
from benchmarks.site import Site


def outcome(count, latency_s):
    found = Outcome(1.0, count)
    for _ in range(count):
        found.note("ok", latency_s)
    return found


def test_differences():
    """Rates and medians are judged, the slowest frames told; what is off is named."""
    compared = [
        Compared("near", outcome(100, 0.020), outcome(110, 0.019)),
        Compared("far", outcome(100, 0.020), outcome(130, 0.019), has_latency=False),
    ]
    assert [row["difference"] for row in compared[0].rows()] == ["+10%", "-5%", "-5%"]
    assert summary(compared) == "2 of 3 rates and medians within 15%; far, frames/s: +30%"


def test_times_too_short_to_tell():
    """Half a millisecond between medians is not judged."""
    compared = Compared("quick", outcome(100, 0.0005), outcome(100, 0.0009))
    assert compared.judged == {"quick, frames/s": 0.0}


def test_on_the_real_ones(workspace, monkeypatch):
    """Each load is put on the real Triton and bridge and on the simulated ones."""
    monkeypatch.setattr(validating, "COMPUTED_CALLERS", (2,))
    monkeypatch.setattr(validating, "CACHED_CALLERS", (4,))
    monkeypatch.setattr(validating, "SESSIONS", (1,))
    monkeypatch.setattr(validating, "OVERLOAD_CLIENTS", 8)
    monkeypatch.setattr(validating, "VIEWERS", 4)
    site = Site(workspace.avatars, workspace.model_repository)
    done = validate(site, Parameters.read(), 1.0)
    assert [compared.load for compared in done] == [
        "2 callers, computed",
        "2 times what was the most of these",
        "4 callers, cached",
        "4 viewers, cached",
        "1 live sessions",
    ]
    for compared in done:
        assert compared.measured.good > 0, compared.load
        assert compared.simulated.good > 0, compared.load
    assert summary(done).split(" of ")[1].startswith("9 rates and medians") or pytest.fail(summary(done))
