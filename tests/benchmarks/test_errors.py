"""benchmarks/errors.py"""

from benchmarks.errors import BadParameters, BenchmarkError, LoadFailed, NotAvailable


def test_sentences():
    """Errors say what was expected and what was got, or what is skipped and why."""
    assert str(LoadFailed("perf_analyzer", "no answer")) == "perf_analyzer: expected frames, got no answer"
    assert str(NotAvailable("LitServe", "not installed")) == "LitServe is skipped: not installed"
    assert (
        str(BadParameters("a.json: x_s", "a number", "'much'"))
        == "a.json: x_s: expected a number, got 'much'"
    )
    assert issubclass(BadParameters, BenchmarkError)
    assert issubclass(LoadFailed, BenchmarkError)
    assert issubclass(NotAvailable, BenchmarkError)
