"""From any place, the walk meets everybody once and takes the first who may."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance.consistent import NEAR, Places
from tests.unit.balance.members import named


def test_places_are_given_anew_only_when_members_or_weights_change() -> None:
    """Readiness is no reason."""
    places, servers = Places(None), named(3)
    assert places.update(servers)
    servers[0].ready = False
    assert not places.update(servers)
    servers[0].weight = 2
    assert places.update(servers)
    assert places.update(servers[1:])


@given(
    owners=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    ready=st.lists(st.booleans(), min_size=6, max_size=6),
    place=st.integers(0, 59),
    avoided=st.sets(st.integers(0, 5)),
)
def test_the_first_who_may_takes_it(
    owners: list[int], ready: list[bool], place: int, avoided: set[int]
) -> None:
    """As a plain search around the circle finds it."""
    servers = named(6)
    for member, is_ready in zip(servers, ready, strict=True):
        member.ready = is_ready
    place %= len(owners)
    circle = [servers[each] for each in owners[place:] + owners[:place]]
    if not any(member.ready for member in circle):
        return
    avoid = [servers[each] for each in avoided]
    places = Places(None)
    places.update(servers)
    places.give([servers[each] for each in owners])
    serving = [member for member in circle if member.ready]
    expected = next((each for each in serving if each not in avoid), serving[0])
    assert places.taker(place, avoid) is expected


def test_a_long_way_is_walked() -> None:
    """Past more places than are looked at in one go, and around the end."""
    servers = named(40)
    places = Places(1.25)
    places.update(servers)
    places.give(servers)
    for member in servers[3:]:
        member.active = 9
    assert len(servers) > 2 * NEAR
    assert places.taker(5, ()) is servers[0]
