"""One place that joins them: set, policy, health, ejection, levels, slow start, cookie."""

import gc
from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadpath.balance import (
    Balancer,
    Endpoint,
    EndpointSet,
    HealthRules,
    IPHash,
    Ketama,
    LeastConnections,
    LeastResponseTime,
    Maglev,
    Member,
    NoEndpointError,
    OutlierRules,
    Pick,
    Policy,
    RoundRobin,
    SlowStart,
    StickyCookie,
    UnknownEndpointError,
    WeightedRandom,
    WeightedRoundRobin,
)
from loadpath.core.errors import RejectedError
from loadpath.testing import FakeClock
from tests.unit.balance.members import endpoint

POLICIES: list[Policy] = [
    RoundRobin,
    WeightedRoundRobin,
    LeastConnections,
    LeastResponseTime,
    WeightedRandom,
    IPHash,
    Ketama,
    lambda random: Maglev(random, size=211),
]
every_policy = pytest.mark.parametrize(
    "policy", POLICIES, ids=lambda each: getattr(each, "__name__", "").strip("<>")
)


def balancer(endpoints: Iterable[Endpoint | str], **given: Any) -> tuple[Balancer, FakeClock]:
    """Return a balancer whose time and chance the test decides."""
    clock = FakeClock(monotonic=1_000.0)
    return Balancer(endpoints, **{"random": Random(1), "clock": clock, **given}), clock


def hosts(made: Balancer, picks: int, **given: Any) -> Counter[str]:
    """Return how often each host is picked, each call answered at once."""
    counted = Counter[str]()
    for _ in range(picks):
        with made.pick(**given) as pick:
            counted[pick.endpoint.host] += 1
    return counted


def fail(made: Balancer, host: str, times: int = 5) -> None:
    """Let calls to one host fail."""
    others = [each for each in made.endpoints if each.host != host]
    for _ in range(times):
        pick = made.pick(exclude=others)
        assert pick.endpoint.host == host
        pick.failure("error")


def check(made: Balancer, host: str, reason: str, times: int) -> None:
    """Report checks of one host."""
    (found,) = (each for each in made.endpoints if each.host == host)
    for _ in range(times):
        made.on_check(found, reason)


@every_policy
def test_every_policy_uses_everybody(policy: Policy) -> None:
    """In 400 calls with many keys each of four endpoints gets some."""
    made, clock = balancer([f"h{n}:80" for n in range(4)], policy=policy)
    counted = Counter[str]()
    for number in range(400):
        with made.pick(key=f"10.{number % 7}.{number % 251}.1") as pick:
            clock.advance(0.01)
        counted[pick.endpoint.host] += 1
    assert min(counted.values()) > 20
    assert len(counted) == 4


@every_policy
def test_no_policy_picks_one_that_is_down(policy: Policy) -> None:
    """Checks, traffic and the operator: each takes an endpoint out alone."""
    made, _ = balancer([f"h{n}:80" for n in range(8)], policy=policy)
    check(made, "h0", "refused", 3)
    fail(made, "h1")
    made.set_server_health("h2:80", healthy=False)
    counted = Counter[str]()
    for number in range(300):
        counted += hosts(made, 1, key=f"10.{number % 7}.{number % 251}.1")
    assert set(counted) == {f"h{n}" for n in range(3, 8)}


@every_policy
def test_every_policy_avoids_what_was_tried(policy: Policy) -> None:
    """Tried one after the other, everybody is tried before anybody again."""
    made, _ = balancer([f"h{n}:80" for n in range(5)], policy=policy, outliers=None)
    for number in range(20):
        tried: list[Endpoint] = []
        for _ in range(5):
            pick = made.pick(key=f"10.0.{number}.1", exclude=tried)
            pick.failure("local")
            assert pick.endpoint not in tried
            tried.append(pick.endpoint)
        made.pick(key=f"10.0.{number}.1", exclude=tried).cancel()


def test_without_endpoints_nothing_is_tried() -> None:
    """The error is a rejection and what a caller of a network already catches."""
    made, _ = balancer([])
    with pytest.raises(NoEndpointError, match="there are no endpoints") as caught:
        made.pick()
    assert isinstance(caught.value, RejectedError)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.retry_after is None


def test_health_is_checks_and_traffic() -> None:
    """Good checks do not hide failing calls, and good calls do not hide failing checks."""
    made, clock = balancer(["a:80", "b:80", "c:80"])
    fail(made, "a")
    check(made, "a", "", 10)
    assert "a" not in hosts(made, 200)
    clock.advance(30.0)
    assert hosts(made, 200)["a"]
    check(made, "b", "HTTP 500", 3)
    assert "b" not in hosts(made, 200)
    check(made, "b", "", 1)
    assert "b" not in hosts(made, 200)
    check(made, "b", "", 1)
    assert hosts(made, 200)["b"]


def test_a_check_of_one_that_is_gone_is_ignored() -> None:
    """A check that ends after its endpoint was removed changes nothing."""
    made, _ = balancer(["a:80", "b:80"], health=HealthRules(fall=1))
    gone = made.endpoints["a:80"]
    made.swap(["b:80"])
    made.on_check(gone, "refused")
    assert hosts(made, 5) == {"b": 5}


def test_an_operator_decides_until_it_decides_otherwise() -> None:
    """Out whatever checks say and in a panic too; back at once, with the past forgotten."""
    made, _ = balancer(["a:80", "b:80", "c:80"])
    made.set_server_health("a:80", healthy=False)
    check(made, "a", "", 10)
    check(made, "b", "refused", 3)
    check(made, "c", "refused", 3)
    assert set(hosts(made, 100)) == {"b", "c"}  # a panic, without a
    fail(made, "b")
    made.set_server_health(made.endpoints["b:80"], healthy=True)
    made.set_server_health("c:80", healthy=False)
    assert set(hosts(made, 100)) == {"b"}
    made.set_server_health("a:80", healthy=True)
    assert set(hosts(made, 100)) == {"a", "b"}
    with pytest.raises(UnknownEndpointError, match="no endpoint x:80") as caught:
        made.set_server_health("x:80", healthy=True)
    assert isinstance(caught.value, LookupError)
    assert caught.value.address == "x:80"


def test_others_tell_that_an_endpoint_fails() -> None:
    """It goes out as by its own failures, for as long, and comes back by itself."""
    clock = FakeClock()
    rules = OutlierRules(base_ejection=30.0, max_ejected=0.5)
    balancer = Balancer(["a:1", "b:1"], outliers=rules, clock=clock)
    assert balancer.eject("a:1")
    assert not balancer.eject("a:1")
    assert not balancer.eject("b:1")  # half of them are out
    assert {balancer.pick().endpoint.address for _ in range(10)} == {"b:1"}
    clock.advance(31.0)
    assert [each.state for each in balancer.get_server_stats()] == ["up", "up"]
    with pytest.raises(UnknownEndpointError):
        balancer.eject("c:1")
    assert not Balancer(["a:1"], outliers=None).eject("a:1")


def test_a_panic_hands_out_everybody() -> None:
    """With fewer than half left, those that are left are not drowned."""
    made, _ = balancer([f"h{n}:80" for n in range(10)], policy=RoundRobin)
    for number in range(5):
        check(made, f"h{number}", "refused", 3)
    assert len(hosts(made, 100)) == 5
    check(made, "h5", "refused", 3)
    assert len(hosts(made, 100)) == 10
    assert made.snapshot().levels[0].panic


def test_without_panic_the_last_one_is_refused_too() -> None:
    """The error says when trying again makes sense."""
    made, clock = balancer(
        ["a:80", "b:80"], panic=0.0, outliers=OutlierRules(max_ejected=1.0, interval=60.0)
    )
    fail(made, "a")
    fail(made, "b")
    clock.advance(10.0)
    with pytest.raises(NoEndpointError, match="none of 2 endpoints is available") as caught:
        made.pick()
    assert caught.value.retry_after == pytest.approx(20.0)
    clock.advance(20.0)
    assert set(hosts(made, 50)) == {"a", "b"}


def prioritised(primaries: int, backups: int) -> list[Endpoint]:
    """Return primaries p0, p1, … and backups b0, b1, …."""
    return [endpoint(f"p{n}") for n in range(primaries)] + [
        endpoint(f"b{n}", priority=1) for n in range(backups)
    ]


def test_backups_get_what_the_primaries_cannot_carry() -> None:
    """With half of them up, 70 % stays and 30 % goes to the backups."""
    made, _ = balancer(prioritised(4, 2), policy=RoundRobin)
    assert all(host.startswith("p") for host in hosts(made, 200))
    check(made, "p0", "refused", 3)
    check(made, "p1", "refused", 3)
    counted = hosts(made, 4_000)
    assert (counted["b0"] + counted["b1"]) / 4_000 == pytest.approx(0.3, abs=0.03)
    assert "p0" not in counted


def test_nginx_backups_wait_until_none_is_left() -> None:
    """With infinite overprovisioning, one primary carries all."""
    made, _ = balancer(prioritised(3, 1), overprovisioning=inf)
    check(made, "p0", "refused", 3)
    check(made, "p1", "refused", 3)
    assert hosts(made, 50) == {"p2": 50}
    check(made, "p2", "refused", 3)
    assert hosts(made, 50) == {"b0": 50}


def test_a_key_keeps_its_level() -> None:
    """When two levels share the traffic, a key always goes to the same endpoint."""
    made, _ = balancer(prioritised(4, 4), policy=Ketama)
    check(made, "p0", "refused", 3)
    check(made, "p1", "refused", 3)
    seen = [hosts(made, 5, key=f"user-{n}") for n in range(200)]
    assert all(len(each) == 1 for each in seen)
    levels = Counter(host[0] for each in seen for host in each)
    assert levels["b"] / 200 == pytest.approx(0.3, abs=0.12)


def test_the_own_zone_goes_first() -> None:
    """Others get what it cannot carry."""
    zones = [endpoint(f"{zone}{n}", zone=zone) for zone in "xy" for n in range(4)]
    made, _ = balancer(zones, zone="y", policy=RoundRobin)
    assert set(hosts(made, 100)) == {"y0", "y1", "y2", "y3"}
    check(made, "y0", "refused", 3)
    check(made, "y1", "refused", 3)
    counted = hosts(made, 4_000)
    abroad = sum(count for host, count in counted.items() if host[0] == "x")
    assert abroad / 4_000 == pytest.approx(0.3, abs=0.03)
    assert [each.own_zone for each in made.snapshot().levels] == [True, False]


def test_a_retry_leaves_its_level_when_it_must() -> None:
    """With everybody of the own zone and priority tried, the others are next, in order."""
    servers = [
        endpoint("own", zone="x"),
        endpoint("far", zone="y"),
        endpoint("spare", zone="x", priority=1),
    ]
    made, _ = balancer(servers, zone="x")
    tried: list[Endpoint] = []
    for expected in ("own", "far", "spare", "own"):
        with made.pick(exclude=tried) as pick:
            assert pick.endpoint.host == expected
        tried.append(pick.endpoint)


def test_a_newcomer_warms_up() -> None:
    """A tenth of its share at first, half of it half-way, all of it in the end."""
    made, clock = balancer(
        [f"h{n}:80" for n in range(4)], policy=RoundRobin, slow_start=SlowStart(window=60.0)
    )
    assert hosts(made, 400)["h0"] == 100  # all of the first set are warm
    made.swap([f"h{n}:80" for n in range(5)])
    grown = []
    for pause in (0.0, 30.0, 30.0):
        clock.advance(pause)
        grown.append(hosts(made, 5_000)["h4"] / 1_000)
    assert grown == pytest.approx([0.1, 0.5, 1.0], rel=0.25)


@every_policy
def test_one_that_comes_back_warms_up_under_every_policy(policy: Policy) -> None:
    """The guide sets a weight to 0 and back at once; here the share grows."""
    made, clock = balancer(
        [f"h{n}:80" for n in range(4)],
        policy=policy,
        slow_start=SlowStart(window=60.0, minimum=0.05),
    )
    keys = [f"10.{n % 7}.{n % 251}.1" for n in range(1_000)]
    usual = sum((hosts(made, 1, key=key) for key in keys), Counter[str]())["h1"]
    check(made, "h1", "refused", 3)
    hosts(made, 1, key="10.0.0.1")
    check(made, "h1", "", 2)
    back = sum((hosts(made, 1, key=key) for key in keys), Counter[str]())["h1"]
    assert back < 0.4 * usual
    clock.advance(60.0)
    warm = sum((hosts(made, 1, key=key) for key in keys), Counter[str]())["h1"]
    assert warm > 0.6 * usual


def test_when_everybody_is_new_nobody_is_cold() -> None:
    """A whole new set shares evenly at once."""
    made, _ = balancer(["a:80"], slow_start=SlowStart(), policy=RoundRobin)
    made.pick().success()
    made.swap(["b:80", "c:80"])
    assert hosts(made, 100) == {"b": 50, "c": 50}


def test_a_cookie_brings_a_client_back() -> None:
    """Through a reload, not to one that is down, and a made-up one is no harm."""
    made, _ = balancer([f"h{n}:80" for n in range(5)], sticky=StickyCookie(secret=b"s"))
    pick = made.pick()
    pick.success()
    host = pick.endpoint.host
    cookie = StickyCookie(secret=b"s").value(pick.endpoint.address)
    assert cookie in made.set_cookie(pick)
    assert hosts(made, 50, cookie=cookie) == {host: 50}
    made.swap(reversed(list(made.endpoints)))
    assert hosts(made, 50, cookie=cookie) == {host: 50}
    assert len(hosts(made, 200, cookie="made up")) == 5
    assert hosts(made, 20, cookie=cookie, exclude=[pick.endpoint])[host] == 0
    check(made, host, "refused", 3)
    assert hosts(made, 50, cookie=cookie)[host] == 0
    check(made, host, "", 2)
    assert hosts(made, 50, cookie=cookie) == {host: 50}


def test_cookies_need_to_be_asked_for() -> None:
    """The error says what to do."""
    made, _ = balancer(["a:80"])
    with pytest.raises(ValueError, match="sticky"):
        made.set_cookie(made.pick())


def test_a_swap_keeps_what_stays() -> None:
    """Calls in flight, health and figures of an address live on, its weight is the new one's."""
    made, _ = balancer(["a:80", "b:80", "c:80"])
    held = [made.pick() for _ in range(30)]
    check(made, "b", "refused", 3)
    change = made.swap([endpoint("b", 2), endpoint("a", 3), "d:80"])
    assert [each.host for each in change.added] == ["d"]
    assert [each.host for each in change.removed] == ["c"]
    stats = {each.address: each for each in made.get_server_stats()}
    assert [each.address for each in made.get_server_stats()] == ["b:80", "a:80", "d:80"]
    assert stats["a:80"].active == sum(pick.endpoint.host == "a" for pick in held)
    assert (stats["a:80"].weight, stats["b:80"].state) == (3, "down")
    for pick in held:
        pick.success()
    assert [each.active for each in made.get_server_stats()] == [0, 0, 0]
    assert made.generation == 2


def test_a_wrong_set_leaves_the_old_one() -> None:
    """A reload with a mistake changes nothing."""
    made, _ = balancer(["a:80"])
    with pytest.raises(ValueError, match="twice"):
        made.swap(["b:80", "b:80"])
    assert made.endpoints == EndpointSet(["a:80"])
    assert hosts(made, 3) == {"a": 3}


def test_members_that_are_gone_are_forgotten() -> None:
    """A thousand reloads leave no member of an old set alive."""
    made, _ = balancer([], policy=Ketama, sticky=StickyCookie())
    for number in range(100):
        made.swap([f"gone{number + n}:80" for n in range(3)])
        made.pick(key="k").success()
    gc.collect()
    living = [each for each in gc.get_objects() if isinstance(each, Member)]
    assert sum(each.endpoint.host.startswith("gone") for each in living) < 20


def test_figures_are_plain_numbers() -> None:
    """States, calls, latencies and checks, as JSON."""
    made, clock = balancer(
        [endpoint("a", 2, zone="z", priority=1), endpoint("b"), endpoint("c")], zone="z"
    )
    clock.advance(0.5)
    made.pick(exclude=[made.endpoints["c:80"], made.endpoints["a:80"]]).success(latency=0.25)
    fail(made, "c")
    check(made, "a", "HTTP 500", 3)
    clock.advance(2.0)
    held = made.pick()
    snapshot = made.snapshot()
    a, b, c = snapshot.endpoints
    assert (a.state, a.consecutive_failures, a.last_failure) == ("down", 3, "HTTP 500")
    assert (a.last_health_check, b.last_health_check) == (2.0, None)
    assert (b.state, b.request_count, b.failure_count, b.is_healthy) == ("up", 1, 0, True)
    assert b.response_time == pytest.approx(0.25 * 2.718281828 ** (-0.2))
    assert (c.state, c.request_count, c.failure_count, c.ejections) == ("ejected", 5, 5, 1)
    assert (a.zone, a.priority, a.weight) == ("z", 1, 2)
    assert sum(each.active for each in snapshot.endpoints) == 1
    assert sum(each.share for each in snapshot.levels) == pytest.approx(1.0)
    assert msgspec.json.decode(msgspec.json.encode(snapshot))["generation"] == 1
    held.cancel()
    made.set_server_health("b:80", healthy=False)
    assert made.get_server_stats()[1].state == "drained"


@pytest.mark.parametrize(
    ("field", "value"), [("panic", 1.5), ("panic", -0.1), ("overprovisioning", 0.5)]
)
def test_settings_without_meaning_are_refused(field: str, value: float) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=field):
        Balancer(["a:80"], **{field: value})  # type: ignore[arg-type] # by name


steps = st.lists(
    st.one_of(
        st.tuples(st.just("pick"), st.integers(0, 99)),
        st.tuples(st.just("finish"), st.integers(0, 99)),
        st.tuples(st.just("fail"), st.integers(0, 99)),
        st.tuples(st.just("cancel"), st.integers(0, 99)),
        st.tuples(st.just("swap"), st.sets(st.integers(0, 7))),
        st.tuples(st.just("down"), st.integers(0, 7)),
        st.tuples(st.just("up"), st.integers(0, 7)),
        st.tuples(st.just("drain"), st.integers(0, 7)),
        st.tuples(st.just("undrain"), st.integers(0, 7)),
        st.tuples(st.just("wait"), st.integers(0, 60)),
    ),
    max_size=80,
)


class Model:
    """Do the steps, and keep beside the balancer what must hold."""

    def __init__(self, policy: Policy, panic: float) -> None:
        self.made, self.clock = balancer([], policy=policy, panic=panic, health=HealthRules(fall=1))
        self.held: list[Pick] = []

    def do(self, step: str, value: Any) -> None:
        """Do one step."""
        if step == "pick":
            self.pick(value)
        elif step == "swap":
            self.made.swap(
                endpoint(f"h{n}", n + 1, priority=n % 2, zone="xy"[n % 3 == 0])
                for n in sorted(value)
            )
        elif step == "wait":
            self.clock.advance(float(value))
        elif step in ("finish", "fail", "cancel"):
            self.end(step, value)
        else:
            self.change(step, f"h{value}:80")

    def pick(self, number: int) -> None:
        """Pick, and compare with what is available."""
        stats = self.made.get_server_stats()
        try:
            pick = self.made.pick(key=f"10.0.{number}.1")
        except NoEndpointError:
            assert not any(each.ready for each in stats)
            return
        self.held.append(pick)
        picked = next(each for each in stats if each.address == pick.endpoint.address)
        assert picked.state != "drained"
        assert picked.is_healthy or any(level.panic for level in self.made.snapshot().levels)

    def end(self, how: str, number: int) -> None:
        """Finish a call, perhaps of an endpoint that is gone."""
        if self.held:
            pick = self.held.pop(number % len(self.held))
            {"finish": pick.success, "fail": pick.failure, "cancel": pick.cancel}[how]()

    def change(self, step: str, address: str) -> None:
        """Change the health of an endpoint that is there."""
        if address in self.made.endpoints:
            if step in ("up", "down"):
                for _ in range(2):
                    self.made.on_check(self.made.endpoints[address], "x" * (step == "down"))
            else:
                self.made.set_server_health(address, healthy=step == "undrain")


@settings(max_examples=60)
@given(
    steps=steps,
    policy=st.sampled_from(POLICIES),
    panic=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_whatever_happens_counts_are_right(
    steps: list[tuple[str, Any]], policy: Policy, panic: float
) -> None:
    """Never negative, never leaked; nobody unhealthy is picked unless in a panic."""
    model = Model(policy, panic)
    for step, value in steps:
        model.do(step, value)
        active = Counter(pick.endpoint.address for pick in model.held)
        for each in model.made.get_server_stats():
            assert 0 <= each.active <= active[each.address]
    while model.held:
        model.held.pop().success()
    assert all(each.active == 0 for each in model.made.get_server_stats())


def test_a_swap_builds_what_picks_look_up() -> None:
    """A ring is built when the set changes: the first call after it does not wait for that."""
    built: list[int] = []

    class Counting(Ketama):
        """Count the builds."""

        def update(self, members: Sequence[Member]) -> None:
            """Learn the members."""
            built.append(len(members))
            super().update(members)

    balancer = Balancer(["a:1", "b:1"], policy=Counting)
    assert built == [2]
    balancer.pick(key="k").success()
    balancer.swap(["a:1", "b:1", "c:1"])
    assert built == [2, 3]
    balancer.pick(key="k").success()
    assert built == [2, 3]
