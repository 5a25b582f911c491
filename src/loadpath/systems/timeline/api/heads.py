"""Name the part of a request's head that is wrong, so that a refusal says what to correct.

Only heads that were refused already come here: this decides nothing, it finds the words.

Source: RFC 9112 sections 3 and 5 (request line, field lines).
"""

import re
from typing import NamedTuple

from loadpath.systems.timeline.api.problems import Place

SHOWN = 64
"""Characters of a name that a refusal repeats."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[!-~]+")
_ORIGIN = re.compile(rb"/|https?://", re.IGNORECASE)
_VERSION = re.compile(rb"HTTP/1\.[01]")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")
_LENGTH = re.compile(rb"[ \t]*[0-9]{1,18}[ \t]*")
_LENGTHS = {b"content-length": "Content-Length", b"transfer-encoding": "Transfer-Encoding"}


class Part(NamedTuple):
    """Name one part of a head.

    Attributes:
        field: Its name.
        place: Where it is, None for the method and the version.
    """

    field: str
    place: Place | None


def malformed(head: bytes) -> Part | None:
    """Return the first part of a head that breaks the grammar, None when none was recognised.

    Args:
        head: As it was received, perhaps only its beginning.
    """
    line, *fields = _lines(head)
    wrong = next(filter(None, map(_wrong_field, fields)), None)
    return _wrong_request_line(line) or wrong or _wrong_length(fields)


def largest(head: bytes) -> Part:
    """Return the part of a head that takes most of its room.

    Args:
        head: As it was received, perhaps only its beginning.
    """
    line, *fields = _lines(head)
    longest = max(fields, key=len, default=b"")
    return _of_target(line) if len(line) >= len(longest) else _named(longest)


def _lines(head: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in head.lstrip(b"\r\n").split(b"\n")]


def _wrong_request_line(line: bytes) -> Part | None:
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ") if b" " in rest else (rest, b"", b"")
    if not (_TOKEN.fullmatch(method) and method.isupper()):
        return Part("method", None)
    if not _TARGET.fullmatch(target):
        clean = _TARGET.match(target)
        return _of_target(target[: clean.end() if clean else 0])
    if not _ORIGIN.match(target):
        return Part("path", "path")
    if version and not _VERSION.fullmatch(version):
        return Part("version", None)
    return None


def _of_target(begun: bytes) -> Part:
    """Return the parameter that a request target, or its beginning, was at last."""
    _, mark, query = begun.partition(b"?")
    if not mark:
        return Part("path", "path")
    return Part(_shown(query.rpartition(b"&")[2].partition(b"=")[0]) or "query", "query")


def _wrong_field(line: bytes) -> Part | None:
    name, colon, value = line.partition(b":")
    if not line:
        return None
    if not colon or not _TOKEN.fullmatch(name):
        return Part("headers", "header")
    lengths = name.lower() == b"content-length" and not _LENGTH.fullmatch(value)
    return _named(line) if lengths or not _VALUE.fullmatch(value) else None


def _wrong_length(fields: list[bytes]) -> Part | None:
    """Return the field that says a second time where the body ends."""
    said = [line for line in fields if line.partition(b":")[0].lower() in _LENGTHS]
    return _named(said[1]) if len(said) > 1 else None


def _named(line: bytes) -> Part:
    name, colon, _ = line.partition(b":")
    known = _LENGTHS.get(name.lower())
    fits = colon and _TOKEN.fullmatch(name)
    return Part(known or (_shown(name) if fits else "headers"), "header")


def _shown(name: bytes) -> str:
    return name[:SHOWN].decode("ascii", "replace")
