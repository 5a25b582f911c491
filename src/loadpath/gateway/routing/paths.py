"""One form for each path, so that whoever reads it after us sees what was matched. Pure.

The rules: escapes of letters, digits and `-._~` are undone, others are written in capitals; `//`
becomes `/`; `.` and `..` are resolved. Refused are a path that climbs above its root, an escape
that is none, NUL, and an encoded slash or backslash, or `;`, by which a later reader could find a
`..` where we saw none. Other encoded slashes stay as they are and separate nothing.

Source: RFC 3986 section 6.2.2 (normalisation) and 5.2.4 (dot segments); Envoy's `normalize_path`,
`merge_slashes` and `path_with_escaped_slashes_action`.
"""

import re

from loadpath.http.errors import ProtocolError

_USUAL = re.compile(r"(?:/(?![./])[^/%;\\]*+)++")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_SLASHES = re.compile(r"//+")
_HIDDEN = re.compile(r"%2F|%5C|\\|/")
_UNRESERVED = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
)


def normalised(path: str) -> str:
    """Return the one form of a path; the query is not part of it.

    Args:
        path: Begins with `/`.

    Raises:
        ProtocolError: It climbs above its root, or two readers could disagree about it.
    """
    if _USUAL.fullmatch(path):
        return path
    path = _SLASHES.sub("/", _ESCAPE.sub(_escape, path))
    segments = path.split("/")
    if any(map(_hides_dots, segments)):
        raise ProtocolError("the path hides `..` behind an encoded slash or `;`")
    return _resolved(segments) if {".", ".."}.intersection(segments) else path


def _escape(match: re.Match[str]) -> str:
    digits = match[1]
    if digits is None or digits == "00":
        raise ProtocolError(f"the path holds {match[0]!r}, which is no escape or may not be there")
    character = chr(int(digits, 16))
    return character if character in _UNRESERVED else f"%{digits.upper()}"


def _hides_dots(segment: str) -> bool:
    """Return whether a reader with looser rules finds `.` or `..` in a segment where we do not."""
    if ".." not in segment or segment == "..":
        return False
    parts = (part.partition(";")[0] for part in _HIDDEN.split(segment.replace("%3B", ";")))
    return ".." in parts


def _resolved(segments: list[str]) -> str:
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if len(kept) < 2:  # noqa: PLR2004 - only the root is left
                raise ProtocolError("the path climbs above its root")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) if len(kept) > 1 else "/"
