"""From a command to its bytes, after a look at whether a shared connection can carry it.

Many tasks share the connection, so a command that changes the connection itself, blocks it, or
answers out of order is refused by name before it can harm the others.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from loadpath.resp.extras import pack_command

Argument: TypeAlias = bytes | bytearray | memoryview | str | int | float
"""What a command is made of: a str is sent as UTF-8, a number as its digits."""

_STATE = "belongs to the whole connection: use the client's arguments"
_BLOCKS = "would hold up every other task of the connection: poll, or wait for a publication"
_PUSHED = "is answered out of order: use `subscribed`"
_ROW = "needs the connection for itself: use a script"

REFUSED = {
    **dict.fromkeys(("AUTH", "HELLO", "MONITOR", "QUIT", "RESET", "SELECT", "SYNC"), _STATE),
    **dict.fromkeys(("PSYNC", "READONLY", "READWRITE", "ASKING"), _STATE),
    **dict.fromkeys(("BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH"), _BLOCKS),
    **dict.fromkeys(("BZMPOP", "BZPOPMAX", "BZPOPMIN"), _BLOCKS),
    **dict.fromkeys(("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"), _PUSHED),
    **dict.fromkeys(("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"), _PUSHED),
    **dict.fromkeys(("MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"), _ROW),
}
"""Commands that a shared connection does not carry, and what to do instead."""

_REFUSED_WORDS = {
    ("CLIENT", "REPLY"): _STATE,
    ("XREAD", "BLOCK"): _BLOCKS,
    ("XREADGROUP", "BLOCK"): _BLOCKS,
}
_LOOK_FURTHER = {command for command, _ in _REFUSED_WORDS}
_UP_TO_KEYS = 8  # the options of a command stand before its keys


def encode(command: Sequence[Argument]) -> bytes:
    """Return the bytes of a command.

    Raises:
        ValueError: It is empty, or not for a shared connection; says what to do instead.
        TypeError: An argument is neither bytes, str, int nor float.
    """
    if not command:
        raise ValueError("a command has at least a name")
    name = command[0]
    if not isinstance(name, str | bytes):
        raise TypeError(f"the name of a command is str or bytes, not {name!r}")
    if not _looks_harmless(name):
        _look_further(name, command)
    return pack(command)


def pack(command: Sequence[Argument]) -> bytes:
    """Return the bytes of a command, whatever it is.

    Raises:
        TypeError: An argument is neither bytes, str, int nor float.
    """
    words: tuple[Any, ...] = tuple(command)
    try:
        packed: bytes = pack_command(words)
    except TypeError:
        packed = pack_command(tuple(map(_plain, words)))
    return packed


@lru_cache(512)
def _looks_harmless(name: str | bytes) -> bool:
    """Return whether the name alone tells that a command may be sent."""
    upper = _upper(name)
    if upper in REFUSED:
        raise ValueError(f"{upper} {REFUSED[upper]}")
    return upper not in _LOOK_FURTHER


def _upper(word: str | bytes) -> str:
    return (word if isinstance(word, str) else word.decode("latin-1")).upper()


def _look_further(name: str | bytes, command: Sequence[Argument]) -> None:
    upper = _upper(name)
    for argument in command[1:_UP_TO_KEYS]:
        word = _upper(argument) if isinstance(argument, str | bytes) else ""
        if (upper, word) in _REFUSED_WORDS:
            raise ValueError(f"{upper} {word} {_REFUSED_WORDS[upper, word]}")
        if word == "STREAMS":
            return


def _plain(argument: Any) -> Any:
    if isinstance(argument, bool) or not isinstance(
        argument, bytes | bytearray | memoryview | str | int | float
    ):
        raise TypeError(
            f"an argument is bytes, str, int or float, not {argument!r}: encode it first"
        )
    return bytes(argument) if isinstance(argument, bytearray | memoryview) else argument
