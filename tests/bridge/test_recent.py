"""bridge/recent.py"""

from bridge.recent import Recent


def test_remembered():
    """A value is there until it is forgotten; another name has none."""
    recent = Recent(3600, 4)
    recent.put("anna", 1)
    assert (recent.get("anna"), recent.get("ben")) == (1, None)
    recent.forget("anna")
    recent.forget("ben")
    assert recent.get("anna") is None


def test_not_for_longer_than_its_time(monkeypatch):
    """A value as old as ``ttl_s`` is not given any more."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    recent = Recent(5, 4)
    recent.put("anna", 1)
    now_s = 104.9
    assert recent.get("anna") == 1
    now_s = 105.0
    assert recent.get("anna") is None


def test_of_no_time():
    """With 0 seconds nothing is remembered."""
    recent = Recent(0, 4)
    recent.put("anna", 1)
    assert recent.get("anna") is None


def test_not_too_many():
    """One value more than ``max_count`` lets all others go."""
    recent = Recent(3600, 2)
    for number, name in enumerate(["anna", "ben", "cleo"]):
        recent.put(name, number)
    assert [recent.get(name) for name in ("anna", "ben", "cleo")] == [None, None, 2]
