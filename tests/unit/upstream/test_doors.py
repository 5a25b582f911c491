"""Doors follow the set; those whose breakers are shut are known."""

from loadpath.balance import Endpoint, EndpointSet
from loadpath.http import Origin
from loadpath.resilience import BreakerChanged, BreakerPolicy
from loadpath.upstream.doors import Doors
from tests.unit.upstream.asked import Heard

A, B = "10.0.0.1:80", "10.0.0.2:80"
POLICY = BreakerPolicy(minimum_calls=1, open_for=10.0, half_open_calls=1)


def doors(heard: Heard | None = None, *, breaker: BreakerPolicy | None = POLICY) -> Doors:
    """Return doors of two endpoints."""
    made = Doors(breaker=breaker, tls=True, server_name="orders.internal", events=heard)
    made.follow(EndpointSet([A, B]))
    return made


def open_up(made: Doors, address: str, now: float = 0.0) -> None:
    """Let a breaker open."""
    breaker = made[address].breaker
    assert breaker is not None
    breaker.fail(breaker.enter(now), now, now)


def test_a_door_knows_where_it_leads() -> None:
    """Its origin has the endpoint's address, and the name that its certificate must have."""
    assert doors()[A].origin == Origin("10.0.0.1", 80, True, "orders.internal")
    assert [door.address for door in doors()] == [A, B]
    assert len(doors()) == 2


def test_a_new_set_keeps_what_stays() -> None:
    """A door that stays keeps its breaker; one that goes is told; weights are taken over."""
    made = doors()
    first = made[A]
    open_up(made, A)
    heavier = Endpoint(host="10.0.0.1", port=80, weight=3)
    gone = made.follow(EndpointSet([heavier, "10.0.0.3:80"]))
    assert [door.address for door in gone] == [B]
    assert gone[0].gone
    assert made[A] is first
    assert made[A].endpoint.weight == 3
    assert made.shut(1.0) == [heavier]


def test_shut_are_those_that_let_nothing_through() -> None:
    """From opening until the wait is over, and while all trial calls are under way."""
    made = doors()
    assert made.shut(0.0) == []
    open_up(made, A)
    assert [each.address for each in made.shut(9.9)] == [A]
    assert made.shut(10.0) == []
    breaker = made[A].breaker
    assert breaker is not None
    ticket = breaker.enter(10.0)
    assert [each.address for each in made.shut(10.0)] == [A]
    breaker.succeed(ticket, 10.0, 10.0)
    assert made.shut(10.0) == []
    assert breaker.state == "closed"


def test_one_that_is_gone_is_not_shut() -> None:
    """A breaker of an endpoint that left says nothing about one that comes with its address."""
    made = doors()
    open_up(made, A)
    before = made[A]
    made.follow(EndpointSet([B]))
    assert made.shut(1.0) == []
    made.follow(EndpointSet([A, B]))
    assert made[A] is not before
    assert made.shut(1.0) == []


def test_breakers_are_heard() -> None:
    """Who listens hears them under the endpoint's address."""
    heard = Heard()
    open_up(doors(heard), A)
    changed = [each for each in heard.events if isinstance(each, BreakerChanged)]
    assert [(each.name, each.after) for each in changed] == [(A, "open")]


def test_without_breakers_everything_passes() -> None:
    """None means that no endpoint has one."""
    made = doors(breaker=None)
    assert made[A].breaker is None
    assert made[A].would_pass(0.0)
