"""bridge/access/client.py"""

import pytest

from bridge.access.client import counted_as


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:ffff", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_what_an_address_counts_as(address, counted):
    """An address counts as itself, one of IPv6 as its network."""
    assert counted_as(address) == counted
