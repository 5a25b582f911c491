"""Header and trailer fields: lines in, pairs of name and value out, nothing tolerated.

Names keep the case they came in, for whoever passes them on; looking one up ignores it.

Source: RFC 9112 section 5, RFC 9110 section 5; 6.5.1 (what a trailer may not hold).
"""

from loadpath.http.errors import ProtocolError
from loadpath.http.grammar import field, padded_field, token, value
from loadpath.http.limits import Limits

Field = tuple[bytes, bytes]

SINGLE = frozenset({b"host", b"content-length"})
"""Fields that decide where a message goes and where it ends: there once, or not at all."""

FORBIDDEN_TRAILERS = frozenset(
    {
        b"age",
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"expect",
        b"expires",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"keep-alive",
        b"location",
        b"max-forwards",
        b"pragma",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"vary",
        b"www-authenticate",
    }
)
"""What frames, routes, authorises or controls, and so may not come after the body."""


def read_fields(data: bytes, start: int, end: int, most: int) -> list[Field]:
    """Return the fields in `data[start:end]`, each line with its CRLF.

    Args:
        data: What holds them.
        start: Where the first one begins, right after a line feed.
        end: Where the last one's CRLF ends.
        most: How many there may be.

    Raises:
        ProtocolError: A line is no field, or there are too many.
    """
    found: list[Field] = field.findall(data, start, end)
    lines = data.count(b"\n", start, end)
    if lines > most:
        raise ProtocolError(f"{lines} fields are more than {most}", status=431)
    return found if len(found) == lines else _read_padded(data, start, end, lines)


def _read_padded(data: bytes, start: int, end: int, lines: int) -> list[Field]:
    """Read fields of which some have white space at the end, if they are fields."""
    found = padded_field.findall(data, start, end)
    if len(found) != lines:
        raise _bad_line(data[start:end])
    return [(name, each.rstrip(b" \t")) for name, each in found]


def index_of(fields: list[Field]) -> dict[bytes, bytes]:
    """Return the values by name in lower case, those of a repeated name as one list.

    Raises:
        ProtocolError: `Host` or `Content-Length` is there more than once.
    """
    index = {name.lower(): each for name, each in fields}
    return index if len(index) == len(fields) else _joined(fields)


def read_trailer(data: bytes, start: int, end: int, limits: Limits) -> tuple[Field, ...]:
    """Return the fields of a trailer section, `data[start:end]`.

    Raises:
        ProtocolError: A line is no field, one may not be there, or there are too many.
    """
    found = read_fields(data, start, end, limits.fields)
    for name, _ in found:
        if name.lower() in FORBIDDEN_TRAILERS:
            raise ProtocolError(f"a trailer may not hold {name.decode('ascii')}")
    return tuple(found)


def check_line_ends(data: bytes, start: int) -> None:
    """Refuse unfinished lines, `data[start:]`, that can become none any more.

    Counting is as fast as memory is read, so a peer that sends byte by byte costs little.

    Raises:
        ProtocolError: There is a bare CR or LF, or a NUL.
    """
    ends = data.count(b"\r\n", start)
    begun = data.endswith(b"\r", start)
    if data.count(b"\n", start) != ends or data.count(b"\r", start) != ends + begun:
        raise ProtocolError("every line must end in CR LF, and hold no other CR or LF")
    if data.find(b"\0", start) >= 0:
        raise ProtocolError("a line holds a NUL")


def tokens_of(listed: bytes) -> list[bytes]:
    """Return the elements of a comma-separated list in lower case, empty ones left out."""
    return [each for part in listed.lower().split(b",") if (each := part.strip(b" \t"))]


def _joined(fields: list[Field]) -> dict[bytes, bytes]:
    index: dict[bytes, bytes] = {}
    for name, each in fields:
        key = name.lower()
        if key not in index:
            index[key] = each
        elif key in SINGLE:
            raise ProtocolError(f"{name.decode('ascii')} must be there once")
        else:
            index[key] += b", " + each
    return index


def _bad_line(block: bytes) -> ProtocolError:
    """Return why a block of lines is not one of fields."""
    for line in block.split(b"\r\n")[:-1]:
        if why := _why_not(line):
            return ProtocolError(f"{why}: {line[:100]!r}")
    return ProtocolError("every line must end in CR LF")


def _why_not(line: bytes) -> str | None:
    name, colon, rest = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return "a folded header line (obs-fold) is not accepted"
    if not colon:
        return "a header line has no colon"
    if name.rstrip(b" \t") != name:
        return "there is white space before the colon"
    if not token.fullmatch(name):
        return "a header name must be a token"
    if not value.fullmatch(rest):
        return "a header value holds a control character"
    return None
