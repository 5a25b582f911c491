"""Which regular expressions a route may use: those whose matching a client cannot make slow.

Python's engine backtracks. What makes it explode is refused when settings are read: a repetition
inside a repetition, alternatives inside one, references back. What is left costs more than linear
time only where a repetition can also take what stands after it (`.*x.*y`); two of those are
allowed, and paths above `LONGEST` bytes match no pattern, which bounds a match to some
milliseconds. Possessive repetitions (`[^/]++`) never try twice and are always allowed.

Source: OWASP, "Regular expression Denial of Service"; RE2's reasons for linear time.
"""

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

LONGEST = 1_024
"""Longest path that is matched against patterns (bytes)."""

AMBIGUOUS = 2
"""Repetitions in one pattern that may take what stands after them."""

_LONGEST_PATTERN = 512
_parser: Any = import_module("re._parser")  # the only place where the parts of a pattern are told
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_ATOMIC = ("POSSESSIVE_REPEAT", "ATOMIC_GROUP")
_REFUSED = {
    "GROUPREF": "refers back to a group",
    "GROUPREF_EXISTS": "depends on a group",
    "ASSERT": "looks around",
    "ASSERT_NOT": "looks around",
}


def pattern_problem(pattern: str) -> str | None:
    """Return why a pattern is refused, None when it is not."""
    if len(pattern) > _LONGEST_PATTERN:
        return f"is longer than {_LONGEST_PATTERN} characters: make several routes"
    try:
        parsed = _parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    try:
        ambiguous = sum(_ambiguous(list(parsed), (), repeated=False))
    except _RefusedError as error:
        return str(error)
    if ambiguous > AMBIGUOUS:
        return (
            f"has {ambiguous} repetitions that can take what stands after them, at most "
            f"{AMBIGUOUS} may: use [^/]+ or a possessive one such as .*+"
        )
    return None


class _RefusedError(Exception):
    """Carry why a pattern is refused out of its depths."""


def _ambiguous(items: Sequence[Any], after: Sequence[Any], *, repeated: bool) -> Iterator[int]:
    """Give 1 for each repetition that can take what stands after it."""
    for place, (kind, value) in enumerate(items):
        name, rest = str(kind), [*items[place + 1 :], *after]
        if name in _REFUSED:
            raise _RefusedError(f"{_REFUSED[name]}, which can take too long: write it without")
        if name in _REPEATS:
            yield from _repetition(value, rest, repeated=repeated)
        elif name in _ATOMIC:
            yield from _ambiguous(_inner(name, value), (), repeated=repeated)
        elif name == "SUBPATTERN":
            yield from _ambiguous(list(value[3]), rest, repeated=repeated)
        elif name == "BRANCH":
            if repeated:
                raise _RefusedError("repeats alternatives, which can take too long: use a [class]")
            for branch in value[1]:
                yield from _ambiguous(list(branch), rest, repeated=repeated)


def _inner(name: str, value: Any) -> list[Any]:
    return list(value) if name == "ATOMIC_GROUP" else list(value[2])


def _repetition(value: Any, after: Sequence[Any], *, repeated: bool) -> Iterator[int]:
    least, most, body = value
    if least == most:
        yield from _ambiguous(list(body), after, repeated=repeated or most > 1)
        return
    if repeated:
        raise _RefusedError("repeats a repetition, which can take too long: write [^/]+ once")
    yield from _ambiguous(list(body), after, repeated=most > 1)
    if most > 1 and not _stops(list(body), after):
        yield 1


def _stops(body: Sequence[Any], after: Sequence[Any]) -> bool:
    """Return whether one character class is repeated and what follows cannot be of it."""
    if not after:
        return True
    kind, value = after[0]
    if len(body) != 1 or str(kind) != "LITERAL":
        return False
    return not _may_be(body[0], value)


def _may_be(item: Any, character: int) -> bool:
    kind, value = str(item[0]), item[1]
    if kind == "LITERAL":
        return bool(value == character)
    if kind == "NOT_LITERAL":
        return bool(value != character)
    if kind == "IN":
        return _in_class(value, character)
    return True


def _in_class(members: Sequence[Any], character: int) -> bool:
    negated = str(members[0][0]) == "NEGATE"
    found = any(_is_member(each, character) for each in members)
    return found is not negated


def _is_member(member: Any, character: int) -> bool:
    kind, value = str(member[0]), member[1]
    if kind == "LITERAL":
        return bool(value == character)
    if kind == "RANGE":
        return bool(value[0] <= character <= value[1])
    return kind == "CATEGORY" and _in_category(str(value), chr(character))


def _in_category(name: str, character: str) -> bool:
    negated, found = "_NOT_" in name, True
    if name.endswith("DIGIT"):
        found = character.isdigit()
    elif name.endswith("SPACE"):
        found = character.isspace()
    elif name.endswith("WORD"):
        found = character.isalnum() or character == "_"
    return found is not negated
