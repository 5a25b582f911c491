"""A history laid out for the search: one place for each answer, and what is open at it.

A call that is being made has a bit while it is open. Calls that may never have happened and ask
for the same are interchangeable: they share a field of a number, which counts how many were used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple

from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import Action, Model

FIELD: Final = 16
"""Bits of a field; its highest one stays clear, so that fields can be compared at once."""
MANY: Final = (1 << (FIELD - 1)) - 1


class Maybe(NamedTuple):
    """Hold calls that may have happened and are interchangeable."""

    shift: int
    begun: int
    action: Action


class Place(NamedTuple):
    """Hold what can take effect before one answer.

    Attributes:
        call: The call that is answered here: it must have taken effect.
        bit: Its bit.
        action: What it does.
        others: Bits and actions of the open calls that change something, last answer first.
        reads: Bits and actions of the open calls that change nothing.
        maybes: Calls without an answer that have begun.
    """

    call: Call
    bit: int
    action: Action
    others: tuple[tuple[int, Action], ...]
    reads: tuple[tuple[int, Action], ...]
    maybes: tuple[Maybe, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold the places in the order of the answers."""

    places: Sequence[Place]
    initial: Any
    guard: int
    """The highest bit of every field."""


class _Open(NamedTuple):
    end: int
    bit: int
    action: Action
    pure: bool


def plan(calls: Iterable[Call], model: Model, *, loose: Iterable[Call] = ()) -> Plan:
    """Lay calls out.

    Args:
        calls: Calls of one object.
        model: What the object does.
        loose: Calls that may have happened at any time, or never.

    Raises:
        ModelError: The model does not know a call.
    """
    layout = _Layout(model)
    for call in loose:
        layout.may_happen(call._replace(outcome="info", result=None, end=None))
    moments = sorted(_moments(calls), key=lambda each: (each[0], each[1]))
    for _, ends, call in moments:
        if ends:
            layout.answer(call)
        elif call.end is None:
            layout.may_happen(call)
        else:
            layout.begin(call)
    return Plan(layout.places, model.initial, layout.guard)


def _moments(calls: Iterable[Call]) -> Iterable[tuple[int, int, Call]]:
    for call in calls:
        yield call.start, 0, call
        if call.end is not None:
            yield call.end, 1, call


class _Layout:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._open: dict[int, _Open] = {}
        self._free: list[int] = []
        self._bits = 0
        self._classes: dict[Any, int] = {}
        self._maybes: tuple[Maybe, ...] = ()
        self.places: list[Place] = []

    @property
    def guard(self) -> int:
        return sum(1 << (FIELD * (place + 1) - 1) for place in range(len(self._classes)))

    def begin(self, call: Call) -> None:
        if not self._free:
            self._free.append(1 << self._bits)
            self._bits += 1
        end = call.end if call.end is not None else int(inf)
        action, pure = self._model.action(call), self._model.pure(call)
        self._open[call.start] = _Open(end, self._free.pop(), action, pure)

    def may_happen(self, call: Call) -> None:
        """Let a call happen from here on; one that changes nothing says nothing."""
        if self._model.pure(call):
            return
        kind = (call.f, _hashable(call.value))
        if kind in self._classes:
            place = self._classes[kind]
            old = self._maybes[place]
            new = old._replace(begun=min(old.begun + 1, MANY))
            self._maybes = (*self._maybes[:place], new, *self._maybes[place + 1 :])
            return
        place = self._classes[kind] = len(self._classes)
        self._maybes += (Maybe(FIELD * place, 1, self._model.action(call)),)

    def answer(self, call: Call) -> None:
        mine = self._open[call.start]
        open_ = sorted(self._open.values(), reverse=True, key=lambda each: each.end)
        others = tuple(
            (one.bit, one.action) for one in open_ if not one.pure and one.bit != mine.bit
        )
        reads = tuple((one.bit, one.action) for one in open_ if one.pure)
        self.places.append(Place(call, mine.bit, mine.action, others, reads, self._maybes))
        del self._open[call.start]
        self._free.append(mine.bit)


def _hashable(value: Any) -> Any:
    return tuple(sorted(map(repr, value.items()))) if isinstance(value, dict) else value
