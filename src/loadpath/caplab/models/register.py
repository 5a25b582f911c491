"""Registers: one, one with compare-and-set, several at once, and a map of strings.

Source: Knossos `model/register`, `cas-register`, `multi-register`; Porcupine's kv model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from loadpath.caplab.history.calls import Call, is_pair
from loadpath.caplab.models.model import NO, Action, No, State, reading, same, setting, unknown

READ: Final = frozenset({"read", "r", "get"})
WRITE: Final = frozenset({"write", "w", "put", "set"})
CAS: Final = frozenset({"cas", "compare-and-set"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Read and write one value; a read of nil has seen that nothing was written."""

    initial: Any = None
    name: str = "register"
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a read."""
        return call.f in READ

    def action(self, call: Call) -> Action:
        """Return what a read or a write does."""
        if call.f in READ:
            return reading(call.result) if call.outcome == "ok" else same
        if call.f in WRITE:
            return setting(call.value)
        raise unknown(self.name, call, "read and write (with cas it is a cas-register)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CasRegister:
    """Read, write, and set a value if it is another: `cas [old new]`.

    A refused cas has seen a value that was not `old`.
    """

    initial: Any = None
    name: str = "cas-register"
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a read, or a cas that was refused."""
        return call.f in READ or (call.f in CAS and call.outcome == "fail")

    def action(self, call: Call) -> Action:
        """Return what a read, a write or a cas does."""
        if call.f not in CAS:
            return Register(name=self.name).action(call)
        if not is_pair(call.value):
            raise unknown(self.name, call, "read, write and cas [old new]")
        old, new = call.value
        if call.outcome == "fail":
            return lambda state: state if state != old else NO
        return lambda state: new if state == old else NO


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """Get, put, append, delete and cas strings by key; a key without a value reads as empty."""

    name: str = "kv"
    by_key: bool = True
    initial: Any = None

    def pure(self, call: Call) -> bool:
        """Return whether it is a get, or a cas that was refused."""
        return CasRegister().pure(call)

    def action(self, call: Call) -> Action:
        """Return what a call on one key does."""
        if call.f in READ:
            return reading(call.result or None) if call.outcome == "ok" else same
        if call.f == "append":
            return _appending(call.value)
        if call.f in {"delete", "del"}:
            return setting(None)
        return setting(call.value or None) if call.f in WRITE else self._cas(call)

    def _cas(self, call: Call) -> Action:
        if call.f not in CAS:
            raise unknown(self.name, call, "get, put, append, delete and cas on a [key value]")
        return CasRegister().action(call)


def _appending(value: Any) -> Action:
    return lambda state: (value if state is None else state + value) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiRegister:
    """Read and write several registers in one transaction: `[[:read x 1] [:write y 2]]`.

    Args:
        values: What the registers hold first; the others hold nil.
    """

    values: Mapping[Any, Any] = field(default_factory=dict)
    name: str = "multi-register"
    by_key: bool = False

    @property
    def initial(self) -> State:
        """Return the first state."""
        return frozenset(self.values.items())

    def pure(self, call: Call) -> bool:
        """Return whether it only reads."""
        return all(f in READ for f, *_ in _parts(self.name, call))

    def action(self, call: Call) -> Action:
        """Return what a transaction does."""
        parts = _parts(self.name, call)
        return lambda state: _applied(parts, dict(state), answered=call.outcome == "ok")


def _parts(name: str, call: Call) -> tuple[tuple[Any, ...], ...]:
    parts = call.result if call.outcome == "ok" and call.result is not None else call.value
    known = READ | WRITE
    if not isinstance(parts, tuple) or not all(
        isinstance(each, tuple) and len(each) == 3 and each[0] in known  # noqa: PLR2004 - f, key, value
        for each in parts
    ):
        raise unknown(name, call, "transactions of [:read key value] and [:write key value]")
    return parts


def _applied(
    parts: Iterable[tuple[Any, ...]], state: dict[Any, Any], *, answered: bool
) -> State | No:
    for f, key, value in parts:
        if f in WRITE:
            state[key] = value
        elif answered and value is not None and state.get(key) != value:
            return NO
    return frozenset(state.items())
