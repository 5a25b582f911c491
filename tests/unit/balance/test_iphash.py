"""nginx's ip_hash, bit by bit (a real nginx agrees in tests/integration/balance)."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import IPHash
from loadpath.balance.iphash import BASE, hashed_octets, next_hash
from tests.unit.balance.members import members, named, update


def test_the_hash_is_nginxs() -> None:
    """((89 x 113 + a) x 113 + b) x 113 + c, each step modulo 6271; worked by hand."""
    value = (89 * 113 + 192) % 6271
    value = (value * 113 + 168) % 6271
    value = (value * 113 + 1) % 6271
    assert next_hash(BASE, hashed_octets(b"192.168.1.77")) == value == 154


@given(octets=st.tuples(*[st.integers(0, 255)] * 3), last=st.tuples(*[st.integers(0, 255)] * 2))
def test_a_network_stays_together(octets: tuple[int, int, int], last: tuple[int, int]) -> None:
    """Clients that differ in the last octet only have the same server."""
    picker, servers = IPHash(), named(7, weight=3)
    update(picker, servers)
    network = ".".join(map(str, octets))
    one, other = (picker.pick(0.0, f"{network}.{n}".encode(), ()) for n in last)
    assert one is other


def test_all_of_an_ipv6_address_counts() -> None:
    """Sixteen octets are hashed."""
    assert len(hashed_octets(b"2001:db8::1")) == 16
    picker, servers = IPHash(), named(7)
    update(picker, servers)
    assert len({picker.pick(0.0, f"2001:db8::{n:x}".encode(), ()) for n in range(50)}) == 7


def test_weights_share_the_networks() -> None:
    """Over all networks of 10/8 the shares are the weights'."""
    picker = IPHash()
    update(picker, members(a=3, b=1))
    counted = Counter(
        picker.pick(0.0, f"10.{m}.{n}.1".encode(), ()).endpoint.host
        for m in range(0, 256, 5)
        for n in range(0, 256, 5)
    )
    assert counted["a"] / counted.total() == pytest.approx(0.75, rel=0.05)


def test_only_the_clients_of_a_lost_member_move_and_all_come_back() -> None:
    """Failing over hashes again; who had another server keeps it."""
    picker, servers = IPHash(), named(5)
    update(picker, servers)
    keys = [f"10.0.{n}.1".encode() for n in range(256)]
    before = [picker.pick(0.0, key, ()) for key in keys]
    servers[2].ready = False
    update(picker, servers)
    during = [picker.pick(0.0, key, ()) for key in keys]
    assert servers[2] not in during
    moved = [a for a, b in zip(before, during, strict=True) if a is not b]
    assert set(moved) == {servers[2]}
    servers[2].ready = True
    update(picker, servers)
    assert [picker.pick(0.0, key, ()) for key in keys] == before


def test_after_twenty_tries_members_take_turns() -> None:
    """One ready member of many is found, however seldom the hash would meet it."""
    picker, servers = IPHash(Random(1)), named(100)
    for member in servers[1:]:
        member.ready = False
    update(picker, servers)
    assert {picker.pick(0.0, f"10.0.{n}.1".encode(), ()) for n in range(50)} == {servers[0]}


def test_calls_without_a_key_take_turns() -> None:
    """Nothing to hash is no mistake."""
    picker = IPHash()
    update(picker, members(a=2, b=1))
    names = [picker.pick(0.0, None, ()).endpoint.host for _ in range(3)]
    assert "".join(names) == "aba"


@pytest.mark.parametrize("key", [b"example.org", b"10.0.0", b"10.0.0.256", b"", b"\xff"])
def test_a_key_that_is_no_address_is_refused(key: bytes) -> None:
    """The error says what the key must be."""
    picker = IPHash()
    update(picker, named(2))
    with pytest.raises(ValueError, match="client's IP address"):
        picker.pick(0.0, key, ())


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry hashes on."""
    picker, servers = IPHash(), named(3)
    update(picker, servers)
    first = picker.pick(0.0, b"10.0.0.1", ())
    assert picker.pick(0.0, b"10.0.0.1", [first]) is not first
    assert picker.pick(0.0, b"10.0.0.1", servers) in servers
