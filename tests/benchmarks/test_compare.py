"""benchmarks/compare.py; the whole of it runs in test_main.py"""

from benchmarks.compare import BARE, PLAIN, PREDECESSOR, SERVED, Comparison
from benchmarks.statistics import Round


def repeated(rates):
    return {side: [Round(rate, (1000 / rate,))] * 3 for side, rate in rates.items()}


def test_ratios():
    """A row has its side's median rate, percentiles, and ratios to the limit and to the predecessor's server."""
    rounds = {SERVED: 19.0, BARE: 20.0, PLAIN: 16.0, PREDECESSOR: 2.0}
    found = Comparison(repeated(rounds), {}, ())
    assert found.ratio(BARE, PLAIN) == 1.25
    row = found.rows()[0]
    assert (row["server"], row["frames/s"], row["of the limit"], row["times the predecessor's"]) == (
        SERVED,
        19.0,
        0.95,
        9.5,
    )


def test_other_servers():
    """Another server is held to the bare loop that took turns with it, as the machine may have slowed down since."""
    ours = {SERVED: 19.0, BARE: 20.0, PLAIN: 16.0, PREDECESSOR: 2.0}
    found = Comparison(repeated(ours), {"Other": repeated({"Other": 5.0, BARE: 10.0})}, ())
    row = found.rows()[-1]
    assert (row["server"], row["frames/s"], row["of the limit"], row["times the predecessor's"]) == (
        "Other",
        5.0,
        0.5,
        5.0,
    )
