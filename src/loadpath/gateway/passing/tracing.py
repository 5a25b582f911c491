"""The trace that a request belongs to: continued where the client has one, else begun. Pure.

Source: W3C Trace Context, section 3.2 (traceparent) and 3.4 (mutating it).
"""

import re
from collections.abc import Callable

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16
_NOT_A_VERSION = b"ff"
_VERSION = b"00"

Bits = Callable[[int], int]
"""Returns that many random bits."""


def traceparent(found: bytes | None, bits: Bits) -> tuple[bytes, bool]:
    """Return the field for the upstream, and whether it continues the client's trace.

    Args:
        found: What the client sent.
        bits: Where chance comes from.
    """
    match = None if found is None else _PARENT.fullmatch(found)
    if match is None or not _is_valid(match):
        return b"00-%032x-%016x-01" % (bits(128) or 1, bits(64) or 1), False
    flags = int(match[4], 16) & 1
    return b"00-%b-%016x-%02x" % (match[2], bits(64) or 1, flags), True


def _is_valid(match: re.Match[bytes]) -> bool:
    version, trace, span, _, more = match.groups()
    if version == _NOT_A_VERSION or trace == _NO_TRACE or span == _NO_SPAN:
        return False
    return version != _VERSION or more is None
