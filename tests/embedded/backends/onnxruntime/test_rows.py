"""embedded/backends/onnxruntime/rows.py"""

from __future__ import annotations

import onnxruntime

from tests.backends.models import column, table_lookup


def test_rows_of_requests(load):
    """Each request gets its rows back, and one that the network fails on its own exception."""
    session = onnxruntime.InferenceSession(
        table_lookup().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    network = load("rows").Rows(session, ["y"])
    one, bad, two = network.run([{"x": column(3)}, {"x": column(0, 77)}, {"x": column(1, 0)}])
    assert [array.tolist() for array in (*one, *two)] == [[[40]], [[20], [10]]]
    assert "idx=77 must be within" in str(bad)
