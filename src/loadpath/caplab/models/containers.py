"""Queues and a set.

Source: Knossos `model/fifo-queue`, `unordered-queue`, `set`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import NO, Action, reading, same, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoQueue:
    """Enqueue at the end, dequeue at the front; a dequeue answered nil has seen it empty."""

    name: str = "queue"
    initial: tuple[Any, ...] = ()
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a dequeue that found nothing."""
        return _found_nothing(call)

    def action(self, call: Call) -> Action:
        """Return what an enqueue or a dequeue does."""
        if call.f == "enqueue":
            return lambda queue: (*queue, call.value)
        if call.f != "dequeue":
            raise unknown(self.name, call, "enqueue and dequeue")
        if _found_nothing(call):
            return reading(())
        if call.outcome == "info":
            return lambda queue: queue[1:] if queue else NO
        return lambda queue: queue[1:] if queue and queue[0] == call.result else NO


@dataclass(frozen=True, slots=True, kw_only=True)
class UnorderedQueue:
    """Enqueue, and dequeue whichever; a dequeue answered nil has seen it empty.

    A dequeue that nobody knows the end of may have taken any element.
    """

    name: str = "unordered-queue"
    initial: frozenset[tuple[Any, int]] = frozenset()
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a dequeue that found nothing."""
        return _found_nothing(call)

    def action(self, call: Call) -> Action:
        """Return what an enqueue or a dequeue does."""
        if call.f == "enqueue":
            return lambda bag: _changed(bag, call.value, 1)
        if call.f != "dequeue":
            raise unknown(self.name, call, "enqueue and dequeue")
        if _found_nothing(call):
            return reading(frozenset())
        if call.outcome == "info":
            raise unknown(self.name, call, "no dequeue that ended with info: judge it as queue")
        return lambda bag: _changed(bag, call.result, -1)


def _changed(bag: Any, item: Any, by: int) -> Any:
    counts = dict(bag)
    left = counts.pop(item, 0) + by
    if left < 0:
        return NO
    if left:
        counts[item] = left
    return frozenset(counts.items())


def _found_nothing(call: Call) -> bool:
    return call.f == "dequeue" and (
        call.outcome == "fail" or (call.outcome == "ok" and call.result is None)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowOnlySet:
    """Add elements, and read them all."""

    name: str = "linearizable-set"
    initial: frozenset[Any] = frozenset()
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a read."""
        return call.f == "read"

    def action(self, call: Call) -> Action:
        """Return what an add or a read does."""
        if call.f == "add":
            added = frozenset((call.value,))
            return lambda held: held | added
        if call.f != "read":
            raise unknown(self.name, call, "add and read")
        return reading(self._seen(call)) if call.outcome == "ok" else same

    def _seen(self, call: Call) -> frozenset[Any]:
        if call.result is not None and not isinstance(call.result, Iterable):
            raise unknown(self.name, call, "reads that answer a collection")
        return frozenset(call.result or ())
