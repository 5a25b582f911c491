"""A bound is a share of all calls in flight, never less than what they need together."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance.bounded import Bound
from tests.unit.balance.members import named, start

loads = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9), st.booleans()), min_size=1, max_size=12
)


@given(loads=loads, factor=st.floats(1.01, 4.0), seed=st.integers(0, 9))
def test_somebody_ready_has_room(
    loads: list[tuple[int, int, bool]], factor: float, seed: int
) -> None:
    """However calls stand, a walk over all members finds a ready one below its bound."""
    servers = named(len(loads))
    for member, (active, weight, ready) in zip(servers, loads, strict=True):
        member.weight, member.ready = weight, ready
        start(member, active)
    if not any(member.ready for member in servers):
        return
    for member in servers:
        member.tally = servers[0].tally
    servers[0].tally.active = sum(member.active for member in servers)
    bound = Bound(factor)
    bound.update(servers)
    walk = Random(seed).sample(servers, len(servers))
    found = bound.first(walk, ())
    assert found.ready
    limit = bound.share * (bound.tally.active + 1)
    assert found.active < limit * found.weight
    before = walk[: walk.index(found)]
    assert all(not each.ready or each.active >= limit * each.weight for each in before)


def test_without_a_bound_the_first_ready_one_takes_it() -> None:
    """However many calls it holds."""
    servers = named(2)
    start(servers[0], 1_000)
    bound = Bound(None)
    bound.update(servers)
    assert bound.first(servers, ()) is servers[0]
