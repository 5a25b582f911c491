"""Which addresses may use a route."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.filters.addresses import AddressFilter
from loadpath.gateway.settings.filters import Addresses
from tests.unit.gateway.filters.exchanges import asked


@pytest.mark.parametrize(
    ("client", "may"),
    [
        ("10.1.2.3", True),
        ("10.9.0.1", False),
        ("192.0.2.1", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.9.0.1", False),
        ("2001:db8::5", True),
        ("2001:db8::5%eth0", True),
        ("2001:db9::5", False),
        ("unknown", False),
    ],
)
def test_what_is_denied_stays_denied_inside_what_is_allowed(client: str, *, may: bool) -> None:
    """Networks of both families count, also an IPv4 address inside an IPv6 one."""
    rules = Addresses(allow=("10.0.0.0/8", "2001:db8::/32"), deny=("10.9.0.0/16",))
    reply = AddressFilter(rules).enter(asked(client=client))
    assert (reply is None) is may
    assert may or (reply is not None and reply.head.status == 403)


def test_a_deny_list_alone_lets_everybody_else_in() -> None:
    """Without `allow` only what is denied stays out."""
    filter_ = AddressFilter(Addresses(deny=("10.0.0.0/8",)))
    assert filter_.enter(asked(client="192.0.2.1")) is None
    assert filter_.enter(asked(client="10.0.0.1")) is not None


@given(client=st.ip_addresses(v=4), allow=st.ip_addresses(v=4), bits=st.integers(0, 32))
def test_agrees_with_the_networks_definition(client: object, allow: object, bits: int) -> None:
    """A client may exactly when its address is in the network, asked twice or once."""
    network = f"{allow}/{bits}"
    filter_ = AddressFilter(Addresses(allow=(network,)))
    inside = ip_address(str(client)) in ip_network(network, strict=False)
    for _ in range(2):
        assert (filter_.enter(asked(client=str(client))) is None) is inside
