"""Records of DNS as endpoints: weights and priorities kept, order steady."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadpath.upstream.resolvers.records import Srv, from_addresses, from_services, wait

services = st.builds(
    Srv,
    priority=st.integers(0, 65_535),
    weight=st.integers(0, 65_535),
    port=st.integers(1, 65_535),
    target=st.sampled_from(["a.", "b.", "c.", "nowhere."]),
)
ADDRESSES = {"a.": ["10.0.0.1"], "b.": ["10.0.0.2", "::2"], "c.": ["10.0.0.1"], "nowhere.": []}


def srv(priority: int, weight: int, port: int, target: str) -> Srv:
    """Return a record as it is written."""
    return Srv(priority=priority, weight=weight, port=port, target=target)


@given(records=st.lists(services, max_size=8), seed=st.integers())
def test_any_records_make_a_set_in_a_steady_order(records: list[Srv], seed: int) -> None:
    """The order in which a server gives its records, which it changes, changes nothing."""
    shuffled = Random(seed).sample(records, len(records))
    found = from_services(records, ADDRESSES)
    assert [(e.address, e.priority) for e in found] == [
        (e.address, e.priority) for e in from_services(shuffled, ADDRESSES)
    ]
    offered = {
        f"[{host}]:{each.port}" if ":" in host else f"{host}:{each.port}"
        for each in records
        for host in ADDRESSES[each.target]
    }
    assert {each.address for each in found} == offered


def test_weight_and_priority_are_kept() -> None:
    """Priority is taken as it is, weight in proportion, 0 as the least there is."""
    found = from_services([srv(10, 60, 80, "a."), srv(20, 0, 80, "b.")], ADDRESSES)
    assert found["10.0.0.1:80"].weight == 60
    assert found["10.0.0.1:80"].priority == 10
    assert found["10.0.0.2:80"].weight == 1
    assert found["[::2]:80"].priority == 20


def test_large_weights_keep_their_proportion() -> None:
    """What is above 256 is scaled down, all by the same factor."""
    found = from_services([srv(0, 60_000, 1, "a."), srv(0, 15_000, 2, "a.")], ADDRESSES)
    assert [each.weight for each in found] == [256, 64]


def test_the_dot_offers_nothing() -> None:
    """RFC 2782: a target of `.` says that the service is decidedly not available."""
    assert len(from_services([srv(0, 0, 0, ".")], {".": ["10.0.0.9"]})) == 0


def test_an_address_that_is_named_twice_serves_at_its_first_priority() -> None:
    """One endpoint comes of it, with the priority that serves first."""
    found = from_services([srv(5, 1, 80, "a."), srv(1, 9, 80, "c.")], ADDRESSES)
    assert [(each.priority, each.weight) for each in found] == [(1, 9)]


def test_addresses_are_sorted_and_unique() -> None:
    """A server that rotates its answers gives the same set each time."""
    found = from_addresses(["10.0.0.2", "10.0.0.1", "10.0.0.2"], 80)
    assert [each.address for each in found] == ["10.0.0.1:80", "10.0.0.2:80"]


@given(ttl=st.floats(0, 1e9), floor=st.floats(0.1, 10), more=st.floats(0, 1000))
def test_the_wait_honours_ttl_within_its_bounds(ttl: float, floor: float, more: float) -> None:
    """As long as the records live, no sooner than the floor, no later than the ceiling."""
    ceiling = floor + more
    waited = wait(ttl, floor=floor, ceiling=ceiling)
    assert floor <= waited <= ceiling
    if floor <= ttl <= ceiling:
        assert waited == ttl
