"""Calls as people read them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from loadpath.caplab.history.calls import READS, Call


def told(call: Call) -> str:
    """Return who asked what, was answered what, and between which operations."""
    asked = call.f if call.value is None and call.f in READS else f"{call.f} {shown(call.value)}"
    if call.outcome == "info":
        return f"[{call.start}, …] process {call.process}: {asked}, never answered"
    answer = " refused" if call.outcome == "fail" else _answer(call)
    return f"[{call.start}, {call.end}] process {call.process}: {asked}{answer}"


def _answer(call: Call) -> str:
    return "" if call.result == call.value and call.f not in READS else f" → {shown(call.result)}"


def shown(value: Any) -> str:
    """Return a value in EDN's look, without the colons of keywords."""
    if value is None:
        return "nil"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{shown(key)} {shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, AbstractSet):
        return "#{" + " ".join(sorted(map(shown, value))) + "}"
    if isinstance(value, tuple | list):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
