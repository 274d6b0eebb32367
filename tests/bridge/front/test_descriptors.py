"""bridge/front/descriptors.py"""

import resource

import pytest

from bridge.front.descriptors import connections_within, for_grpc, raise_limit


@pytest.mark.parametrize(
    ("soft", "most"), [(100, 60), (1024, 614), (4096, 3072), (65536, 4096), (resource.RLIM_INFINITY, 4096)]
)
def test_some_are_kept(monkeypatch, soft, most):
    """Of what the system allows some descriptors are kept for everything that is no connection of a client."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert connections_within(4096) == most
    assert most + for_grpc(most) < soft or soft == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1 << 20), (1 << 16, 1 << 20)),
        ((1024, resource.RLIM_INFINITY), (1 << 16, resource.RLIM_INFINITY)),
        ((1 << 17, 1 << 20), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_limit_is_raised(monkeypatch, limits, raised):
    """The limit becomes what it may be, as far as that is of use, and is never lowered."""
    given = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, value: given.append(value))
    raise_limit()
    assert given == ([] if raised is None else [raised])
