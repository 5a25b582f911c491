"""Whether a client has what it asks for already, and which part of it it wants. Pure.

Source: RFC 9110 section 13 (conditional requests; their order is 13.2.2) and 14 (ranges).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal

Outcome = Literal["send", "not_modified", "failed"]

_ETAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE = re.compile(rb"(\d*)-(\d*)")
_MOST_DIGITS = 19


class RangeNotSatisfiableError(ValueError):
    """Report a range that begins behind the end."""


def http_date(moment: float) -> bytes:
    """Write a time as HTTP does.

    Args:
        moment: Unix time (s); parts of a second are left out.
    """
    return format_datetime(datetime.fromtimestamp(int(moment), UTC), usegmt=True).encode()


def outcome(index: Mapping[bytes, bytes], *, etag: bytes, modified: float) -> Outcome:
    """Return what the conditions of a GET or HEAD say.

    Args:
        index: Fields of the request by name in lower case.
        etag: Of what there is.
        modified: When it changed last (Unix s).
    """
    match, none_match = index.get(b"if-match"), index.get(b"if-none-match")
    if match is not None:
        if not _lists(match, etag, weak=False):
            return "failed"
    elif (limit := _date(index.get(b"if-unmodified-since"))) is not None and modified > limit:
        return "failed"
    if none_match is not None:
        return "not_modified" if _lists(none_match, etag, weak=True) else "send"
    since = _date(index.get(b"if-modified-since"))
    return "not_modified" if since is not None and modified <= since else "send"


def wanted_range(
    index: Mapping[bytes, bytes], size: int, *, etag: bytes, modified: float
) -> tuple[int, int] | None:
    """Return the part that is wanted, as its first and its last byte; None for all of it.

    One part is served. Who asks for several, or in another unit, gets all: that is allowed, and
    many small parts cost more than they save.

    Args:
        index: Fields of the request by name in lower case.
        size: Of what there is (bytes).
        etag: Of what there is, a strong one.
        modified: When it changed last (Unix s).

    Raises:
        RangeNotSatisfiableError: The part lies behind the end.
    """
    written = index.get(b"range")
    if written is None or not _still(index.get(b"if-range"), etag, modified):
        return None
    unit, _, part = written.partition(b"=")
    found = _RANGE.fullmatch(part.strip(b" \t"))
    if unit.strip().lower() != b"bytes" or found is None or len(part) > 2 * _MOST_DIGITS:
        return None
    first, last = found.groups()
    if not first:
        return _suffix(last, size)
    begin, end = int(first), int(last) if last else size - 1
    if end < begin and last:
        return None
    if begin >= size:
        raise RangeNotSatisfiableError
    return begin, min(end, size - 1)


def _suffix(last: bytes, size: int) -> tuple[int, int] | None:
    if not last:
        return None
    length = min(int(last), size)
    if length == 0:
        raise RangeNotSatisfiableError
    return size - length, size - 1


def _still(if_range: bytes | None, etag: bytes, modified: float) -> bool:
    """Return whether a part fits to what the client has of it."""
    if if_range is None or if_range == etag:
        return True
    return b'"' not in if_range and if_range == http_date(modified)


def _lists(written: bytes, etag: bytes, *, weak: bool) -> bool:
    if written.strip() == b"*":
        return True
    listed = _ETAG.findall(written)
    return etag in listed or (weak and b"W/" + etag in listed)


def _date(written: bytes | None) -> float | None:
    """Return a time (Unix s), None for what is no date: it then says nothing."""
    if written is None:
        return None
    try:
        moment = parsedate_to_datetime(written.decode("ascii"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
