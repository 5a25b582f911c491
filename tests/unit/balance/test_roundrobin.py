"""One after the other, whatever comes and goes."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import RoundRobin
from tests.unit.balance.members import named, shares, update


def test_the_guides_sequence() -> None:
    """Servers 1, 2, 3 and 1 again."""
    picker, servers = RoundRobin(), named(3)
    update(picker, servers)
    assert [servers.index(picker.pick(0.0, None, ())) for _ in range(4)] == [0, 1, 2, 0]


@given(count=st.integers(1, 20), rounds=st.integers(1, 5), seed=st.integers(0, 99))
def test_every_member_gets_the_same(count: int, rounds: int, seed: int) -> None:
    """After whole rounds everybody had the same, wherever it began."""
    picker = RoundRobin(Random(seed))
    update(picker, named(count))
    assert set(shares(picker, count * rounds).values()) == {rounds}


def test_many_clients_do_not_start_together() -> None:
    """The first place is drawn."""
    firsts = set()
    for seed in range(50):
        picker = RoundRobin(Random(seed))
        update(picker, named(4))
        firsts.add(picker.pick(0.0, None, ()).endpoint.host)
    assert len(firsts) == 4


@given(flags=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=20))
def test_a_change_goes_on_where_it_was(flags: list[list[bool]]) -> None:
    """After any change the next pick is the next ready member in the set's order."""
    picker, servers, last = RoundRobin(), named(6), -1
    for ready in flags:
        for member, is_ready in zip(servers, ready, strict=True):
            member.ready = is_ready
        if not any(ready):
            continue
        update(picker, servers)
        expected = next(n % 6 for n in range(last + 1, last + 7) if ready[n % 6])
        last = servers.index(picker.pick(0.0, None, ()))
        assert last == expected


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry goes elsewhere; when everybody was tried, somebody is tried again."""
    picker, servers = RoundRobin(), named(3)
    update(picker, servers)
    assert picker.pick(0.0, None, servers[:2]) is servers[2]
    assert picker.pick(0.0, None, servers) in servers
