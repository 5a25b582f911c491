"""Patterns of keys: anchored at both ends, `*` and `?` special, everything else itself.

A backslash takes the meaning from the character after it. The same regular expression decides in
both layers; the server is only asked for a superset.
"""

import re
from collections.abc import Callable, Iterator

_SPECIAL_TO_SERVER = frozenset("[]\\^-")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a whole key matches.

    Raises:
        ValueError: The pattern is empty or ends in a lone backslash.
    """
    source = "".join(_regex(character, literal=literal) for character, literal in _read(pattern))
    match = re.compile(source, re.DOTALL).fullmatch
    return lambda key: match(key) is not None


def for_server(pattern: str) -> str:
    """Return a glob for `SCAN … MATCH` that finds at least what `matcher` accepts."""
    return "".join(_server(character, literal=literal) for character, literal in _read(pattern))


def literal(text: str) -> str:
    """Return the pattern that only `text` matches."""
    return re.sub(r"([*?\\])", r"\\\1", text)


def is_literal(pattern: str) -> bool:
    """Return whether the pattern has nothing special in it."""
    return all(is_plain for _, is_plain in _read(pattern))


def plain(pattern: str) -> str:
    """Return the one key that a pattern without anything special matches."""
    return "".join(character for character, _ in _read(pattern))


def _read(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield each character and whether it stands for itself."""
    if not pattern:
        raise ValueError("pattern must not be empty: '*' matches every key")
    characters = iter(pattern)
    for character in characters:
        if character != "\\":
            yield character, character not in "*?"
            continue
        escaped = next(characters, None)
        if escaped is None:
            raise ValueError(f"pattern ends in a lone backslash: {pattern!r}; write two")
        yield escaped, True


def _regex(character: str, *, literal: bool) -> str:
    if literal:
        return re.escape(character)
    return ".*" if character == "*" else "."


def _server(character: str, *, literal: bool) -> str:
    if not literal:
        return "*"  # the server's ? is one byte, ours one character
    if character in "*?" or character in _SPECIAL_TO_SERVER:
        return "\\" + character
    return character
