"""Pick the endpoint of each call: set, policy, health, ejection and slow start in one place.

Everything that changes seldom (who is available, which level gets how much, a hash ring) is
computed when it changes; a pick only asks the policy. No task, no socket: time comes from the
clock, checks are reported from outside.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import inf
from random import Random

from loadpath.balance.endpoint import Endpoint, EndpointSet, Swap
from loadpath.balance.hashing import unit
from loadpath.balance.health import HealthRules
from loadpath.balance.lease import Pick
from loadpath.balance.ledger import LatencyRules, Ledger
from loadpath.balance.levels import Load, loads
from loadpath.balance.member import Member, Tally
from loadpath.balance.outlier import OutlierDetector, OutlierRules
from loadpath.balance.picker import Picker, Policy
from loadpath.balance.responsetime import LeastResponseTime
from loadpath.balance.slowstart import SlowStart
from loadpath.balance.stats import BalancerStats, LevelStats, ServerStats, stats_of
from loadpath.balance.sticky import StickyCookie
from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import LoadpathError, RejectedError

COLD_REFUSALS = 3
Rank = tuple[int, bool]


class NoEndpointError(RejectedError, ConnectionError):
    """Refuse a call that no endpoint may serve: nothing was tried."""


class UnknownEndpointError(LoadpathError, LookupError):
    """Tell that no endpoint of the set has this address.

    Attributes:
        address: The address that was asked for.
    """

    def __init__(self, address: str) -> None:
        super().__init__(f"no endpoint {address} in the set: add it with swap() first")
        self.address = address


@dataclass(frozen=True, slots=True)
class _Level:
    """Hold one level: its members, their policy and its part of the traffic."""

    rank: Rank
    members: list[Member]
    picker: Picker | None
    load: Load
    until: float


class Balancer:
    """Pick an endpoint for each call, and learn from how the call went.

    Args:
        endpoints: Endpoints or `host:port` strings, in order; `swap` replaces them.
        policy: Makes the picker of each priority level: a picker's class, or a `partial` of one.
        health: How many checks in a row decide; checks are reported to `on_check`.
        outliers: When real traffic takes an endpoint out; None for never.
        latency: What latencies and failures mean to the policy.
        slow_start: How endpoints that join or come back warm up; None at once.
        panic: Share of available endpoints below which all of a level are handed out; 0 never.
        overprovisioning: Times its load that a level can carry before the next one gets some;
            `math.inf` for nginx's `backup`: only when none is left.
        zone: Own zone, whose endpoints go before others of their priority; None for no preference.
        sticky: Cookie that brings clients back; None for none.
        random: Where chance comes from; a seeded one repeats every pick.
        clock: Where time comes from.

    Raises:
        ValueError: An argument is out of range, or an address is there twice.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint | str] = (),
        *,
        policy: Policy = LeastResponseTime,
        health: HealthRules | None = None,
        outliers: OutlierRules | None = OutlierRules(),  # noqa: B008 - frozen
        latency: LatencyRules | None = None,
        slow_start: SlowStart | None = None,
        panic: float = 0.5,
        overprovisioning: float = 1.4,
        zone: str | None = None,
        sticky: StickyCookie | None = None,
        random: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= panic <= 1:
            raise ValueError(f"panic must be 0-1, not {panic}")
        if not overprovisioning >= 1:
            raise ValueError(f"overprovisioning must be at least 1, not {overprovisioning}")
        self._policy = policy
        self._health = health or HealthRules()
        self._latency = latency or LatencyRules()
        self._slow_start = slow_start
        self._panic = panic
        self._overprovisioning = overprovisioning
        self._zone = zone
        self._sticky = sticky
        self._random = random or Random()  # noqa: S311 - spreads load, keeps no secret
        clock = clock or SystemClock()
        self._now = clock.monotonic
        self._detector = None if outliers is None else OutlierDetector(outliers, self._now())
        self._ledger = Ledger(clock, self._detector, failure_penalty=self._latency.failure_penalty)
        self._endpoints = EndpointSet()
        self._members: dict[str, Member] = {}
        self._by_cookie: dict[str, Member] = {}
        self._available: set[Member] = set()
        self._pickers: dict[Rank, Picker] = {}
        self._levels: list[_Level] = []
        self._only: Picker | None = None
        self.generation = 0
        self.swap(endpoints)

    @property
    def endpoints(self) -> EndpointSet:
        """The current set."""
        return self._endpoints

    def swap(self, endpoints: Iterable[Endpoint | str]) -> Swap:
        """Replace the set, as a hot reload does.

        Addresses that stay keep their figures, health and calls in flight; calls in flight to one
        that is gone still finish.

        Raises:
            ValueError: An address is there twice, or is none; the old set stays.
        """
        new = endpoints if isinstance(endpoints, EndpointSet) else EndpointSet(endpoints)
        old = self._members
        self._members = {each.address: self._member(each) for each in new}
        removed = [member for address, member in old.items() if address not in new]
        for member in removed:
            member.tally = Tally(member.active)
        added = tuple(each for each in new if each.address not in old)
        self._endpoints = new
        self.generation += 1
        if self._sticky is not None:
            value = self._sticky.value
            self._by_cookie = {value(address): each for address, each in self._members.items()}
        if self._detector is not None:
            self._detector.watch([member.track for member in self._members.values()])
        self._ledger.due = -inf
        self._refresh(self._now())  # a ring or a table is built here, and not in somebody's pick
        return Swap(added=added, removed=tuple(member.endpoint for member in removed))

    def pick(
        self,
        *,
        key: str | bytes | None = None,
        cookie: str | None = None,
        exclude: Collection[Endpoint] = (),
    ) -> Pick:
        """Return the endpoint of one call; finish it, or use it as a context manager.

        Args:
            key: What the call is about, for policies by hash: equal keys, equal endpoint.
            cookie: Value of the sticky cookie that came with the call.
            exclude: Endpoints that were tried before; avoided while there is another.

        Raises:
            NoEndpointError: No endpoint may serve.
        """
        now = self._now()
        if now >= self._ledger.due:
            self._refresh(now)
        data = key.encode() if isinstance(key, str) else key
        picker = self._only or self._by_share(data)
        if exclude or cookie is not None:
            member = self._preferred(picker, now, data, cookie, exclude)
        else:
            member = picker.pick(now, data, ())
            if member.warm_until > now:
                member = self._warm_enough(picker, member, now, data, set())
        return Pick(member, self._ledger, now)

    def on_check(self, endpoint: Endpoint, reason: str = "") -> None:
        """Learn how an active check of an endpoint went; one that is gone is ignored.

        Args:
            endpoint: Which one.
            reason: Why the check failed, empty when it succeeded.
        """
        member = self._members.get(endpoint.address)
        if member is not None and member.health.on_check(reason, self._now()):
            self._ledger.due = -inf

    def set_server_health(self, server: Endpoint | str, healthy: bool) -> None:  # noqa: FBT001 - the guide's call
        """Take an endpoint out by hand, or put it back.

        Args:
            server: The endpoint, or its `host:port`.
            healthy: False takes it out until True, whatever checks and traffic say, and in a panic
                too. True puts it back at once with its failures and its ejection forgotten; checks
                and traffic decide from there.

        Raises:
            UnknownEndpointError: The set has no such address.
        """
        member = self._known(server)
        member.drained = not healthy
        if healthy:
            member.health.reset()
            if self._detector is not None:
                self._detector.reset(member.track)
        self._ledger.due = -inf

    def eject(self, server: Endpoint | str) -> bool:
        """Take an endpoint out for as long as its failures would, because others saw them.

        Args:
            server: The endpoint, or its `host:port`.

        Returns:
            Whether it is out because of it: not without outlier rules, when it was out already, or
            when too many are.

        Raises:
            UnknownEndpointError: The set has no such address.
        """
        member = self._known(server)
        if self._detector is None or not self._detector.eject(member.track, self._now()):
            return False
        self._ledger.due = -inf
        return True

    def get_server_stats(self) -> list[ServerStats]:
        """Return every endpoint's figures, in the order of the set."""
        now = self._look()
        return [stats_of(member, now) for member in self._members.values()]

    def snapshot(self) -> BalancerStats:
        """Return the figures of this moment."""
        return BalancerStats(
            endpoints=tuple(self.get_server_stats()),
            generation=self.generation,
            levels=tuple(self._level_stats(level) for level in self._levels),
        )

    def set_cookie(self, pick: Pick) -> str:
        """Return the `Set-Cookie` value that brings the client back to a pick's endpoint.

        Raises:
            ValueError: The balancer has no sticky cookie.
        """
        if self._sticky is None:
            raise ValueError("sticky must be given to the balancer before cookies are set")
        return self._sticky.set_cookie(pick.endpoint.address)

    def _member(self, endpoint: Endpoint) -> Member:
        member = self._members.get(endpoint.address)
        if member is None:
            return Member(endpoint, health=self._health, decay=self._latency.decay)
        member.become(endpoint)
        return member

    def _known(self, server: Endpoint | str) -> Member:
        address = server if isinstance(server, str) else server.address
        member = self._members.get(address)
        if member is None:
            raise UnknownEndpointError(address)
        return member

    def _by_share(self, key: bytes | None) -> Picker:
        """Return the picker of a level, drawn by the levels' shares, or by the key."""
        at = self._random.random() if key is None else unit(key)
        picker = None
        for level in self._levels:
            if level.picker is not None and level.load.share > 0:
                picker = level.picker
                if at < level.until:
                    break
        if picker is None:
            raise self._no_endpoint()
        return picker

    def _no_endpoint(self) -> NoEndpointError:
        count = len(self._endpoints)
        what = f"none of {count} endpoints is available" if count else "there are no endpoints"
        wait = self._detector.due - self._now() if count and self._detector is not None else None
        return NoEndpointError(f"{what}: see snapshot() for the reasons", retry_after=wait)

    def _preferred(
        self,
        picker: Picker,
        now: float,
        key: bytes | None,
        cookie: str | None,
        exclude: Collection[Endpoint],
    ) -> Member:
        """Return the member of the cookie, or another one that was not tried before."""
        tried = (self._members.get(each.address) for each in exclude)
        avoid = {member for member in tried if member is not None}
        member = None if cookie is None else self._by_cookie.get(cookie)
        if member is not None and member.available and member not in avoid:
            return member
        picker, member = self._untried(picker, now, key, avoid)
        return self._warm_enough(picker, member, now, key, avoid)

    def _untried(
        self, picker: Picker, now: float, key: bytes | None, avoid: set[Member]
    ) -> tuple[Picker, Member]:
        """Return a member that was not tried before: of another level when this one has none."""
        first = picker.pick(now, key, avoid)
        if first in avoid:
            for level in self._levels:
                if level.picker is not None and level.picker is not picker:
                    member = level.picker.pick(now, key, avoid)
                    if member not in avoid:
                        return level.picker, member
        return picker, first

    def _warm_enough(
        self, picker: Picker, member: Member, now: float, key: bytes | None, avoid: set[Member]
    ) -> Member:
        """Return the picked member with a chance that grows as it warms up, else another."""
        slow_start = self._slow_start
        for _ in range(COLD_REFUSALS):
            if slow_start is None or member.warm_until <= now:
                break
            if self._random.random() < slow_start.factor(now - member.warm_from):
                break
            avoid.add(member)
            member = picker.pick(now, key, avoid)
        return member

    def _look(self) -> float:
        """Return the time, after everything that is due was done."""
        now = self._now()
        if now >= self._ledger.due:
            self._refresh(now)
        return now

    def _refresh(self, now: float) -> None:
        """Do what is due: let endpoints out and back, and share the traffic anew if it changed."""
        detector, changed = self._detector, self._ledger.due == -inf
        if detector is not None and now >= detector.due:
            changed |= detector.sweep(now)
        self._ledger.due = inf if detector is None else detector.due
        if changed:
            self._warm_up(now)
            self._share_out()

    def _warm_up(self, now: float) -> None:
        """Begin the slow start of members that were not available before, unless all are new."""
        available = {member for member in self._members.values() if member.available}
        if self._slow_start is not None and available & self._available:
            for member in available - self._available:
                member.warm_from = now
                member.warm_until = now + self._slow_start.window
        self._available = available

    def _share_out(self) -> None:
        groups: defaultdict[Rank, list[Member]] = defaultdict(list)
        for member in self._members.values():
            foreign = self._zone is not None and member.endpoint.zone != self._zone
            groups[member.endpoint.priority, foreign].append(member)
        ranks = sorted(groups)
        counts = [_count(groups[rank]) for rank in ranks]
        given = loads(counts, overprovisioning=self._overprovisioning, panic=self._panic)
        self._pickers = {rank: each for rank, each in self._pickers.items() if rank in groups}
        self._levels = []
        until = 0.0
        for rank, load in zip(ranks, given, strict=True):
            until += load.share
            picker = self._prepared(rank, groups[rank], load)
            self._levels.append(_Level(rank, groups[rank], picker, load, until))
        serving = [level.picker for level in self._levels if level.picker and level.load.share > 0]
        self._only = serving[0] if len(serving) == 1 else None

    def _prepared(self, rank: Rank, members: list[Member], load: Load) -> Picker | None:
        """Return the level's picker, knowing its members; None when none of them is ready."""
        tally = Tally(sum(member.active for member in members))
        for member in members:
            member.tally = tally
            member.ready = not member.drained and (load.panic or member.available)
        if not any(member.ready for member in members):
            self._pickers.pop(rank, None)
            return None
        picker = self._pickers.setdefault(rank, self._policy(self._random))
        picker.update(members)
        return picker

    def _level_stats(self, level: _Level) -> LevelStats:
        priority, foreign = level.rank
        available, endpoints = _count(level.members)
        return LevelStats(
            priority=priority,
            own_zone=None if self._zone is None else not foreign,
            endpoints=endpoints,
            available=available,
            share=level.load.share,
            panic=level.load.panic,
        )


def _count(members: list[Member]) -> tuple[int, int]:
    """Return how many members are available, and how many no operator took out."""
    return (
        sum(member.available for member in members),
        sum(not member.drained for member in members),
    )
