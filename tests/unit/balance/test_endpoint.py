"""Endpoints say what they are; sets hold each address once and never change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import Endpoint, EndpointSet


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("server1:3000", "server1", 3000), ("10.0.0.1:80", "10.0.0.1", 80), ("[::1]:443", "::1", 443)],
)
def test_addresses_are_read_and_written(address: str, host: str, port: int) -> None:
    """The guide's `server1:3000`, IPv4 and bracketed IPv6 come back as they were."""
    endpoint = Endpoint.parse(address, weight=3, zone="a", priority=1)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert (endpoint.weight, endpoint.zone, endpoint.priority) == (3, "a", 1)
    assert endpoint.address == address


@pytest.mark.parametrize("address", ["", "host", "host:", ":80", "::1:80", "h:8o", "h:٣", "h:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """A wrong address is named in the error."""
    with pytest.raises(ValueError, match="host"):
        Endpoint.parse(address)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "a b"),
        ("host", "user@host"),
        ("port", 0),
        ("port", 65_536),
        ("weight", 0),
        ("weight", 257),
        ("weight", 1.5),
        ("priority", -1),
    ],
)
def test_values_without_meaning_are_refused(field: str, value: object) -> None:
    """The error names the field."""
    given = {"host": "a", "port": 80} | {field: value}
    with pytest.raises(ValueError, match=field):
        Endpoint(**given)  # type: ignore[arg-type] # wrong on purpose


def test_metadata_is_a_copy_that_nobody_changes() -> None:
    """What the owner changes later does not reach an endpoint, and endpoints can be hashed."""
    metadata = {"rack": "7"}
    endpoint = Endpoint(host="a", port=80, metadata=metadata)
    metadata["rack"] = "8"
    assert endpoint.metadata["rack"] == "7"
    with pytest.raises(TypeError):
        endpoint.metadata["rack"] = "9"  # type: ignore[index] # wrong on purpose
    assert hash(endpoint) == hash(Endpoint(host="a", port=80))
    assert endpoint != Endpoint(host="a", port=80)


@given(names=st.lists(st.sampled_from("abcdefgh"), unique=True))
def test_a_set_keeps_order_and_finds_by_address(names: list[str]) -> None:
    """Iteration, length, membership and lookup agree."""
    held = EndpointSet(f"{name}:80" for name in names)
    assert [each.host for each in held] == names
    assert len(held) == len(names)
    assert all(held[f"{name}:80"].host == name for name in names)
    assert ("x:80" in held) is False
    assert held == EndpointSet(held)
    assert hash(held) == hash(EndpointSet(held))
    assert repr(held) == f"EndpointSet({[f'{name}:80' for name in names]})"


def test_an_address_is_there_once() -> None:
    """Listing an address twice is a mistake, not a double weight."""
    with pytest.raises(ValueError, match="a:80 is there twice"):
        EndpointSet(["a:80", Endpoint(host="a", port=80, weight=2)])
