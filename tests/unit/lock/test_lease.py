"""A holder never believes longer than the store grants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.lock import Lease
from loadpath.lock.lease import DRIFT

seconds = st.floats(0.0, 100.0)


@given(ttl=st.floats(0.1, 100), asked=seconds, transit=seconds, back=seconds)
def test_belief_ends_before_the_store_does(
    ttl: float, asked: float, transit: float, back: float
) -> None:
    """However long question and answer travelled, even on a store whose clock is 1 % fast."""
    lease = Lease(ttl)
    lease.ask(asked)
    granted_at, now = asked + transit, asked + transit + back
    lease.grant(7, now)
    store_ends = granted_at + ttl * (1 - DRIFT)
    assert lease.expires <= store_ends
    assert lease.check(now) == (now < lease.expires)
    assert lease.state == ("held" if now < lease.expires else "lost")
    assert lease.token == 7


@given(ttl=st.floats(1, 100), renewals=st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 0.09))))
def test_renewals_lengthen_and_a_late_answer_shortens_nothing(
    ttl: float, renewals: list[tuple[float, float]]
) -> None:
    """Each counts from its own question."""
    lease = Lease(ttl)
    lease.ask(0.0)
    lease.grant(1, 0.0)
    now = 0.0
    for after, took in renewals:
        asked = now + after * lease.remaining(now)
        now = asked + took * lease.remaining(asked)
        lease.renew(asked, now)
        if asked > ttl / 10:
            lease.renew(asked - ttl / 10, now)
        assert lease.expires == pytest.approx(asked + ttl * (1 - DRIFT))
        assert lease.check(now)
        assert lease.renew_at == pytest.approx(lease.asked + ttl / 3)


@given(shorter=st.floats(0.1, 9.9), asked=st.floats(0, 3))
def test_a_shorter_ttl_counts_from_when_it_is_asked_for(shorter: float, asked: float) -> None:
    """The store may have it already: the longer belief ends at once, answer or not."""
    lease = Lease(10.0)
    lease.ask(0.0)
    lease.grant(1, 0.0)
    lease.change(shorter, asked)
    assert lease.expires == pytest.approx(min(9.9, asked + shorter * (1 - DRIFT)))
    lease.renew(asked, asked)
    assert lease.expires == pytest.approx(asked + shorter * (1 - DRIFT))


@given(longer=st.floats(10.1, 100), asked=st.floats(0, 9))
def test_a_longer_ttl_counts_once_it_is_answered(longer: float, asked: float) -> None:
    """The store may not have it yet."""
    lease = Lease(10.0)
    lease.ask(0.0)
    lease.grant(1, 0.0)
    lease.change(longer, asked)
    assert lease.expires == pytest.approx(9.9)
    lease.renew(asked, asked)
    assert lease.expires == pytest.approx(asked + longer * (1 - DRIFT))


def test_a_lost_lease_is_lost_for_good() -> None:
    """Neither a late renewal nor a clock that steps back brings it back."""
    lease = Lease(1.0)
    lease.ask(0.0)
    lease.grant(1, 0.0)
    assert lease.remaining(0.5) == pytest.approx(0.49)
    assert not lease.check(1.0)
    lease.renew(0.9, 1.0)
    assert not lease.check(0.0)
    assert lease.remaining(0.0) == 0.0
    assert not lease.release(0.0)
    assert lease.state == "lost"


def test_the_states_in_order() -> None:
    """free, acquiring (perhaps again), held, released; a store that forgot makes it lost."""
    lease = Lease(1.0)
    assert lease.state == "free"
    lease.ask(0.0)
    lease.ask(0.1)
    assert lease.state == "acquiring"
    lease.grant(1, 0.2)
    assert lease.state == "held"
    assert lease.release(0.5)
    assert lease.state == "released"
    assert not lease.release(0.5)
    lease.lose()
    assert lease.state == "released"
    late = Lease(1.0)
    late.ask(0.0)
    late.grant(1, 0.0)
    assert not late.release(1.0)
    assert late.state == "lost"
    refused = Lease(1.0)
    refused.ask(0.0)
    refused.refuse()
    assert refused.state == "free"
    other = Lease(1.0)
    other.ask(0.0)
    other.grant(2, 0.0)
    other.lose()
    assert other.state == "lost"


def test_a_lease_is_used_once() -> None:
    """What is over is asked for anew, under a new name."""
    lease = Lease(1.0)
    with pytest.raises(RuntimeError, match="free"):
        lease.grant(1, 0.0)
    lease.ask(0.0)
    lease.grant(1, 0.0)
    with pytest.raises(RuntimeError, match="held"):
        lease.ask(0.5)
    lease.release(0.5)
    with pytest.raises(RuntimeError, match="released"):
        lease.ask(0.5)


def test_a_ttl_is_above_zero() -> None:
    """A lease of no length would be lost at once."""
    with pytest.raises(ValueError, match="ttl"):
        Lease(0.0)
