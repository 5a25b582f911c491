"""Take endpoints out that fail real traffic, for longer each time, never too many at once.

A black hole (an endpoint that fails in a millisecond) looks idle to every policy that watches
load, and draws half of all calls; only ejection stops that. Pure: time is an argument.

Source: Envoy's outlier detection (consecutive failures, success rate, failure share; ejection
time times count with a cap; the count falls with every good interval) and gRPC's proposal A50.
"""

from dataclasses import dataclass
from math import inf
from statistics import fmean, pstdev
from typing import Literal, get_args

Failure = Literal["error", "gateway", "local"]
"""Where a failure came from.

- `error`: the endpoint answered that it failed (an HTTP 500, a wrong answer).
- `gateway`: what stands before it says that it is not there (502, 503, 504).
- `local`: no answer (refused, reset, timed out).
"""

FAILURES = get_args(Failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierRules:
    """Say what an outlier is and for how long it is out. None switches a rule off.

    Attributes:
        consecutive_errors: Failures of any kind in a row.
        consecutive_gateway: `gateway` and `local` failures in a row.
        consecutive_local: `local` failures in a row.
        interval: How often rates are looked at (s).
        base_ejection: How long the first ejection lasts (s); the n-th lasts n times that.
        max_ejection: The longest an ejection lasts (s).
        max_ejected: Share of the endpoints that may be out; ejecting stops once it is reached.
        success_rate_stdev: Standard deviations below the mean at which a success rate is out.
        success_rate_hosts: Endpoints with enough calls that a mean needs.
        success_rate_calls: Calls in an interval that are enough for that.
        failure_share: Share of failures at which an endpoint is out, whatever others do.
        failure_share_hosts: Endpoints with enough calls that this rule needs.
        failure_share_calls: Calls in an interval that are enough for that.
    """

    consecutive_errors: int | None = 5
    consecutive_gateway: int | None = None
    consecutive_local: int | None = 5
    interval: float = 10.0
    base_ejection: float = 30.0
    max_ejection: float = 300.0
    max_ejected: float = 0.5
    success_rate_stdev: float | None = 1.9
    success_rate_hosts: int = 5
    success_rate_calls: int = 100
    failure_share: float | None = None
    failure_share_hosts: int = 5
    failure_share_calls: int = 50

    def __post_init__(self) -> None:
        for name in ("consecutive_errors", "consecutive_gateway", "consecutive_local"):
            if (limit := getattr(self, name)) is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, or None for never, not {limit}")
        if not 0 < self.interval < inf:
            raise ValueError(f"interval must be above 0 s and finite, not {self.interval}")
        if not 0 < self.base_ejection <= self.max_ejection < inf:
            raise ValueError(f"base_ejection must be above 0 s and at most max_ejection: {self}")
        if not 0 <= self.max_ejected <= 1:
            raise ValueError(f"max_ejected must be 0-1, not {self.max_ejected}")
        if self.success_rate_stdev is not None and not 0 <= self.success_rate_stdev < inf:
            raise ValueError(f"success_rate_stdev must be at least 0: {self.success_rate_stdev}")
        if self.failure_share is not None and not 0 < self.failure_share <= 1:
            raise ValueError(f"failure_share must be above 0, at most 1: {self.failure_share}")
        for name in ("success_rate", "failure_share"):
            if getattr(self, f"{name}_hosts") < 1 or getattr(self, f"{name}_calls") < 1:
                raise ValueError(f"{name}_hosts and {name}_calls must be at least 1: {self}")


class Track:
    """Hold what real traffic says about one endpoint.

    Attributes:
        ejected: Whether it is out.
        until: When it may come back (monotonic s).
        ejections: How many times the base ejection the next one is longer.
        calls: Calls of this interval.
        successes: Successes of this interval.
        errors: Failures in a row.
        gateway: `gateway` and `local` failures in a row.
        local: `local` failures in a row.
    """

    __slots__ = (
        "calls",
        "ejected",
        "ejections",
        "errors",
        "gateway",
        "local",
        "successes",
        "until",
    )

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, also how often it was out."""
        self.ejected = False
        self.until = -inf
        self.ejections = 0
        self.calls = 0
        self.successes = 0
        self.forgive()

    def forgive(self) -> None:
        """Forget failures in a row."""
        self.errors = 0
        self.gateway = 0
        self.local = 0


class OutlierDetector:
    """Decide over the tracks of a set of endpoints.

    Attributes:
        due: When `sweep` has something to do (monotonic s).
    """

    __slots__ = ("_ejected", "_next_sweep", "_rules", "_tracks", "due")

    def __init__(self, rules: OutlierRules, now: float) -> None:
        self._rules = rules
        self._tracks: list[Track] = []
        self._ejected = 0
        self._next_sweep = self.due = now + rules.interval

    @property
    def ejected(self) -> int:
        """How many endpoints are out."""
        return self._ejected

    def watch(self, tracks: list[Track]) -> None:
        """Follow these endpoints from now on, and no others."""
        self._tracks = tracks
        self._recount()

    def on_success(self, track: Track) -> None:
        """Learn that a call succeeded."""
        track.calls += 1
        track.successes += 1
        if track.errors:
            track.forgive()

    def on_failure(self, track: Track, failure: Failure, now: float) -> bool:
        """Learn that a call failed.

        Returns:
            Whether the endpoint is out because of it.

        Raises:
            ValueError: There is no such kind of failure.
        """
        _count(track, failure)
        return self._too_many(track) and self._eject(track, now)

    def eject(self, track: Track, now: float) -> bool:
        """Let an endpoint go out because somebody else saw it fail.

        Returns:
            Whether it is out because of it: not when it was, or too many are.
        """
        return self._eject(track, now)

    def reset(self, track: Track) -> None:
        """Let an endpoint back at once and forget its past."""
        track.reset()
        self._recount()

    def sweep(self, now: float) -> bool:
        """Let endpoints back whose time is over; at the end of an interval look at rates.

        Returns:
            Whether any endpoint went out or came back.
        """
        back = [track for track in self._tracks if track.ejected and track.until <= now]
        for track in back:
            track.ejected = False
            track.forgive()
        out = False
        if now >= self._next_sweep:
            self._next_sweep = now + self._rules.interval
            out = self._judge(now, settled=back)
        self._recount()
        return bool(back) or out

    def _too_many(self, track: Track) -> bool:
        rules = self._rules
        return (
            (rules.consecutive_errors is not None and track.errors >= rules.consecutive_errors)
            or (
                rules.consecutive_gateway is not None and track.gateway >= rules.consecutive_gateway
            )
            or (rules.consecutive_local is not None and track.local >= rules.consecutive_local)
        )

    def _eject(self, track: Track, now: float) -> bool:
        rules = self._rules
        if track.ejected or self._ejected >= rules.max_ejected * len(self._tracks):
            return False
        track.ejections += 1
        track.ejected = True
        track.until = now + min(rules.base_ejection * track.ejections, rules.max_ejection)
        track.forgive()
        self._recount()
        return True

    def _judge(self, now: float, *, settled: list[Track]) -> bool:
        """Eject by rates; whoever served the whole interval has its next ejection shortened."""
        serving = [track for track in self._tracks if not track.ejected]
        for track in serving:
            if track.ejections and track not in settled:
                track.ejections -= 1
        outliers = [*self._low_success(serving), *self._high_failure(serving)]
        out = [self._eject(track, now) for track in outliers]
        for track in self._tracks:
            track.calls = track.successes = 0
        return any(out)

    def _low_success(self, serving: list[Track]) -> list[Track]:
        rules = self._rules
        rates = {t: t.successes / t.calls for t in _busy(serving, rules.success_rate_calls)}
        if rules.success_rate_stdev is None or len(rates) < rules.success_rate_hosts:
            return []
        mean = fmean(rates.values())
        least = mean - rules.success_rate_stdev * pstdev(rates.values(), mean)
        return [track for track, rate in rates.items() if rate < least]

    def _high_failure(self, serving: list[Track]) -> list[Track]:
        rules = self._rules
        busy = _busy(serving, rules.failure_share_calls)
        if rules.failure_share is None or len(busy) < rules.failure_share_hosts:
            return []
        return [t for t in busy if t.calls - t.successes >= rules.failure_share * t.calls]

    def _recount(self) -> None:
        out = [track.until for track in self._tracks if track.ejected]
        self._ejected = len(out)
        self.due = min([self._next_sweep, *out])


def known_failure(failure: Failure) -> None:
    """Return when there is such a kind of failure.

    Raises:
        ValueError: There is not.
    """
    if failure not in FAILURES:
        raise ValueError(f"failure must be one of {FAILURES}, not {failure!r}")


def _count(track: Track, failure: Failure) -> None:
    known_failure(failure)
    track.calls += 1
    track.errors += 1
    track.gateway = 0 if failure == "error" else track.gateway + 1
    track.local = track.local + 1 if failure == "local" else 0


def _busy(tracks: list[Track], calls: int) -> list[Track]:
    return [track for track in tracks if track.calls >= calls]
