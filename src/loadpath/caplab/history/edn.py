"""A reader for EDN, the notation in which Jepsen writes its histories.

Everything becomes plain data: keywords and symbols their names, vectors and lists tuples, sets
frozensets, maps dicts, ratios fractions. A tagged value (`#jepsen.history.Op{…}`) is its value.
Nesting costs heap and no stack.

Source: the EDN specification (edn-format/edn).
"""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import inf, nan
from typing import Any, Final

from loadpath.caplab.history.errors import HistoryError

_TOKEN: Final = re.compile(
    r"""(?:[\s,]+|;[^\n]*)*+
    (?:(?P<open>\#\{|[(\[{])
    |(?P<close>[)\]}])
    |"(?P<string>[^"\\]*+(?:\\.[^"\\]*+)*+)"
    |\\(?P<char>u[0-9a-fA-F]{4}(?![\w])|o[0-7]{1,3}(?![\w])|[a-z]+|.)
    |(?P<discard>\#_)
    |(?P<tag>\#:{0,2}[A-Za-z][^\s,()\[\]{}";\\]*|\^)
    |(?P<atom>[^\s,()\[\]{}";\\]+)
    |(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER: Final = re.compile(r"[+-]?\d")
_INTEGER: Final = re.compile(r"[+-]?\d+N?")
_RATIO: Final = re.compile(r"[+-]?\d+/\d+")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\"}
_CHARS: Final = {
    "newline": "\n",
    "space": " ",
    "tab": "\t",
    "return": "\r",
    "backspace": "\b",
    "formfeed": "\f",
}
_WORDS: Final = {
    "nil": None,
    "true": True,
    "false": False,
    "##Inf": inf,
    "##-Inf": -inf,
    "##NaN": nan,
}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "#{": "}"}
_DISCARD: Final = "#_"


class _Open:
    """Hold a collection that is not closed yet, and the prefixes that wait for its next value."""

    __slots__ = ("items", "kind", "offset", "prefixes")

    def __init__(self, kind: str, offset: int) -> None:
        self.kind = kind
        self.offset = offset
        self.items: list[Any] = []
        self.prefixes: list[str] = []

    def add(self, value: Any) -> bool:
        """Take a value in, and return False when it was discarded."""
        while self.prefixes:
            if self.prefixes.pop() == _DISCARD:
                return False
        self.items.append(value)
        return True


def forms(text: str, *, name: str = "edn", inside: bool = False) -> Iterator[tuple[Any, int]]:
    """Yield each value of a text and the line on which it begins.

    Args:
        text: The text.
        name: Its file, for messages.
        inside: Whether a vector or list around everything is looked into, not yielded as one.

    Raises:
        HistoryError: It is no EDN; the message says where.
    """
    yield from _Reader(text, name, inside=inside).forms()


def value_of(text: str, *, name: str = "edn") -> Any:
    """Return the only value of a text.

    Raises:
        HistoryError: It is no EDN, or not exactly one value.
    """
    found = [value for value, _ in forms(text, name=name)]
    if len(found) != 1:
        raise HistoryError(f"expected one value, got {len(found)}", file=name)
    return found[0]


class _Reader:
    def __init__(self, text: str, name: str, *, inside: bool) -> None:
        self._text, self._name = text, name
        self._stack = [_Open("", 0)]
        self._depth = 2 if inside and _is_wrapped(text) else 1
        self._counted, self._lines = 0, 1

    def forms(self) -> Iterator[tuple[Any, int]]:
        """Yield what is complete at the depth that is looked at."""
        at = 0
        while True:
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._error("this cannot be read as EDN", self._skipped(at))
            at, kind = match.end(), match.lastgroup
            if kind == "end":
                return self._end()
            start = match.start(kind) if kind else at
            added = self._take(kind or "", match[kind or 0], start)
            if added is not None and len(self._stack) == self._depth:
                yield self._stack[-1].items.pop(), self._line(added)

    def _skipped(self, at: int) -> int:
        gap = re.compile(r"(?:[\s,]+|;[^\n]*)*").match(self._text, at)
        return gap.end() if gap else at

    def _take(self, kind: str, token: str, start: int) -> int | None:
        """Take one token in, and return where the value began that it completed."""
        if kind == "open":
            self._stack.append(_Open(token, start))
            return None
        if kind in {"discard", "tag"}:
            self._stack[-1].prefixes.append(token)
            return None
        if kind == "close":
            value, start = self._close(token, start)
        else:
            value = self._scalar(kind, token, start)
        return start if self._stack[-1].add(value) else None

    def _close(self, token: str, start: int) -> tuple[Any, int]:
        done = self._stack[-1]
        if _CLOSING.get(done.kind) != token:
            raise self._error(f"{token!r} closes nothing that is open", start)
        if done.prefixes:
            raise self._error(f"{done.prefixes[-1]} has no value after it", start)
        self._stack.pop()
        return self._collection(done), done.offset

    def _collection(self, done: _Open) -> Any:
        if done.kind == "{":
            return self._map(done)
        if done.kind == "#{":
            return _set(done.items)
        return tuple(done.items)

    def _map(self, done: _Open) -> Any:
        items = done.items
        if len(items) % 2:
            raise self._error("a map has a key without a value", done.offset)
        try:
            return dict(zip(items[::2], items[1::2], strict=True))
        except TypeError:
            raise self._error("a map cannot be the key of a map here", done.offset) from None

    def _scalar(self, kind: str, token: str, start: int) -> Any:
        try:
            return _SCALARS[kind](token)
        except (ValueError, KeyError, ZeroDivisionError):
            raise self._error(f"{token[:40]!r} is no EDN", start) from None

    def _end(self) -> None:
        last = self._stack[-1]
        if last.kind:
            raise self._error(f"{last.kind!r} is never closed: is the file cut off?", last.offset)
        if last.prefixes:
            raise self._error(f"{last.prefixes[-1]} has no value after it", len(self._text))

    def _line(self, offset: int) -> int:
        if offset < self._counted:  # only a collection around others begins before them
            return self._text.count("\n", 0, offset) + 1
        self._lines += self._text.count("\n", self._counted, offset)
        self._counted = offset
        return self._lines

    def _error(self, message: str, offset: int) -> HistoryError:
        return HistoryError(message, file=self._name, line=self._text.count("\n", 0, offset) + 1)


def _is_wrapped(text: str) -> bool:
    match = _TOKEN.match(text)
    return match is not None and match["open"] in {"(", "["}


def _set(items: list[Any]) -> Any:
    try:
        return frozenset(items)
    except TypeError:  # maps among them
        return tuple(items)


def _string(token: str) -> str:
    return _ESCAPE.sub(_unescaped, token) if "\\" in token else token


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES[escape]


def _char(token: str) -> str:
    if len(token) == 1:
        return token
    if token[0] == "u" and len(token) == len("uXXXX"):
        return chr(int(token[1:], 16))
    return chr(int(token[1:], 8)) if token[1:].isdigit() else _CHARS[token]


def _atom(token: str) -> Any:
    if token in _WORDS:
        return _WORDS[token]
    if token[0] == ":":
        if len(token) == 1:
            raise ValueError(token)
        return token.lstrip(":")
    return _number(token) if _NUMBER.match(token) else _symbol(token)


def _symbol(token: str) -> str:
    if token[0] in "#@":
        raise ValueError(token)
    return token


def _number(token: str) -> Any:
    if _INTEGER.fullmatch(token):
        return int(token.rstrip("N"))
    if _RATIO.fullmatch(token):
        above, _, below = token.partition("/")
        return Fraction(int(above), int(below))
    return float(token.rstrip("M"))


_SCALARS: Final[dict[str, Callable[[str], Any]]] = {
    "string": _string,
    "char": _char,
    "atom": _atom,
}
