"""Ports are what siblings meet through: anything of the right shape fits, nothing is inherited."""

import msgspec

from loadpath.core.errors import RejectedError
from loadpath.core.histogram import Histogram
from loadpath.core.ports import Events, Guard, Observable


class Opened(msgspec.Struct, frozen=True):
    """An event: what opened."""

    name: str


class ThreeStrikes:
    """A guard that rejects after three failures and tells who listens."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._failures = 0

    def acquire(self) -> "Strike":
        """Reject when there were three failures."""
        if self._failures >= 3:
            raise RejectedError("three strikes", retry_after=1.0)
        return Strike(self)

    def end(self, error: BaseException | None) -> None:
        """Forgive a success, count a failure."""
        self._failures = self._failures + 1 if error else 0
        if self._failures == 3:
            self._events.emit(Opened(str(error)))


class Strike:
    """The permit of a guard."""

    def __init__(self, guard: ThreeStrikes) -> None:
        self._guard = guard

    def succeed(self) -> None:
        """Forgive."""
        self._guard.end(None)

    def fail(self, error: BaseException) -> None:
        """Count."""
        self._guard.end(error)

    def release(self) -> None:
        """Count nothing."""


class Heard:
    """Events kept in a list."""

    def __init__(self) -> None:
        self.events: list[msgspec.Struct] = []

    def emit(self, event: msgspec.Struct) -> None:
        """Keep it."""
        self.events.append(event)


def attempt(guard: Guard, error: BaseException | None) -> str:
    """Call through a guard, as a room does that has never heard of the guard's class."""
    try:
        permit = guard.acquire()
    except RejectedError:
        return "rejected"
    if error:
        permit.fail(error)
        return "failed"
    permit.succeed()
    return "succeeded"


def test_a_room_works_with_any_guard() -> None:
    """Rejected and failed stay apart, and the listener hears the change once."""
    heard = Heard()
    guard = ThreeStrikes(heard)
    error = OSError("down")
    outcomes = [attempt(guard, each) for each in (error, None, error, error, error, error)]
    assert outcomes == ["failed", "succeeded", "failed", "failed", "failed", "rejected"]
    assert heard.events == [Opened("down")]


def test_a_snapshot_is_json() -> None:
    """Whatever is observable is printed without knowing what it is."""
    observable: Observable = Histogram()
    assert b'"count":0' in msgspec.json.encode(observable.snapshot())
