"""An endpoint's state is the strongest reason why it is not called."""

import msgspec
import pytest

from loadpath.balance import Balancer, EndpointSet
from loadpath.resilience import BreakerPolicy
from loadpath.testing import FakeClock
from loadpath.upstream.doors import Doors
from loadpath.upstream.snapshot import EndpointSnapshot, endpoint_snapshots

A = "10.0.0.1:80"


class Rig:
    """Hold one endpoint."""

    def __init__(self, breaker: BreakerPolicy | None = None) -> None:
        self.balancer = Balancer([A], clock=FakeClock())
        self.doors = Doors(breaker=breaker, tls=False, server_name=None, events=None)
        self.doors.follow(EndpointSet([A]))

    def shown(self) -> EndpointSnapshot:
        """Return its figures."""
        (one,) = endpoint_snapshots(self.balancer, self.doors)
        return one


def test_up() -> None:
    """An endpoint that nothing was heard of serves."""
    shown = Rig().shown()
    assert (shown.address, shown.state, shown.breaker, shown.reason) == (A, "up", None, "")
    assert (shown.in_flight, shown.calls, shown.failures, shown.latency) == (0, 0, 0, 0.0)
    assert msgspec.json.decode(msgspec.json.encode(shown))["weight"] == 1


def test_a_failed_check_tells_its_reason() -> None:
    """What checks say goes before what traffic said."""
    rig = Rig()
    rig.doors[A].reason = "answered 503"
    assert rig.shown().reason == "answered 503"
    for _ in range(3):
        rig.balancer.on_check(rig.doors[A].endpoint, "no answer within 5 s")
    assert (rig.shown().state, rig.shown().reason) == ("down", "no answer within 5 s")


@pytest.mark.parametrize("state", ["open", "half_open", "forced_open"])
def test_a_breaker_that_is_not_closed_is_a_state(state: str) -> None:
    """Unless the balancer has a stronger one."""
    rig = Rig(BreakerPolicy())
    breaker = rig.doors[A].breaker
    assert breaker is not None
    breaker.switch(state, 0.0)  # type: ignore[arg-type] # one of its states
    assert (rig.shown().state, rig.shown().breaker) == (state, state)
    rig.balancer.set_server_health(A, False)
    assert (rig.shown().state, rig.shown().breaker) == ("drained", state)


@pytest.mark.parametrize("state", ["closed", "disabled", "metrics_only"])
def test_a_breaker_that_lets_through_is_none(state: str) -> None:
    """The endpoint is up."""
    rig = Rig(BreakerPolicy())
    breaker = rig.doors[A].breaker
    assert breaker is not None
    breaker.switch(state, 0.0)  # type: ignore[arg-type] # one of its states
    assert (rig.shown().state, rig.shown().breaker) == ("up", state)


def test_an_endpoint_that_somebody_swapped_in_by_hand_is_shown() -> None:
    """The balancer is the caller's too."""
    rig = Rig()
    rig.balancer.swap(["10.0.0.2:80"])
    assert rig.shown().address == "10.0.0.2:80"
