"""export/repository/strategies.py"""

from export.repository.strategies import DEFAULT_STRATEGY, STRATEGIES

TABLE = {
    "latency": (False, False, False),
    "batching": (True, False, False),
    "multi_instance": (False, True, False),
    "hybrid": (True, True, False),
    "replay": (True, True, True),
}


def test_table_is_the_designs():
    """Dynamic batching, many instances and the response cache are on where the design says so."""
    rows = {
        name: (row.dynamic_batching, row.many_instances, row.response_cache)
        for name, row in STRATEGIES.items()
    }
    assert rows == TABLE


def test_default():
    """A model without a variant serves one user at the lowest latency."""
    assert DEFAULT_STRATEGY == "latency"
