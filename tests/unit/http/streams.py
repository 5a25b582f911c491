"""Messages as Hypothesis draws them, their streams, and what a parser makes of them."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from loadpath.http import End, ProtocolError, RequestHead, RequestParser, ResponseParser

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FRAMING = {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"}

tokens = st.text(TOKEN, min_size=1, max_size=12).map(str.encode)
names = tokens.filter(lambda name: name.lower() not in FRAMING)
values = st.binary(max_size=20).map(
    lambda raw: bytes(b for b in raw if b in range(32, 127) or b > 127 or b == 9).strip(b" \t")
)
fields = st.lists(st.tuples(names, values), max_size=6)
paths = st.from_regex(rb"/[!$-;=@-\[\]-~]{0,20}(\?[!$-;=?-~]{0,10})?", fullmatch=True)
pieces = st.lists(st.binary(min_size=1, max_size=30), max_size=5)


class Message(NamedTuple):
    """A message and its bytes.

    Attributes:
        stream: As it goes over the wire.
        method: Of the request, or of the request that a response answers.
        status: Of a response, 0 for a request.
        fields: Those that are not framing.
        body: Whole.
    """

    stream: bytes
    method: bytes
    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes


def chunked(parts: list[bytes]) -> bytes:
    """Return a body in these chunks."""
    return b"".join(b"%X;x=1\r\n%b\r\n" % (len(each), each) for each in parts) + b"0\r\n\r\n"


def framed(start: bytes, given: list[tuple[bytes, bytes]], parts: list[bytes] | bytes) -> bytes:
    """Return a message with a body in chunks, or one of known length."""
    head = start + b"".join(b"%b:  %b \r\n" % each for each in given)
    if isinstance(parts, bytes):
        return head + b"Content-Length: %d\r\n\r\n" % len(parts) + parts
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(parts)


@st.composite
def requests(draw: Any) -> Message:
    """Draw a request of HTTP/1.1 with a path."""
    method = draw(tokens.filter(lambda name: name != b"CONNECT"))
    given, parts = draw(fields), draw(pieces | st.binary(max_size=60))
    start = b"%b %b HTTP/1.1\r\nHost: a\r\n" % (method, draw(paths))
    body = parts if isinstance(parts, bytes) else b"".join(parts)
    return Message(framed(start, given, parts), method, 0, given, body)


@st.composite
def responses(draw: Any) -> Message:
    """Draw a final response that delimits itself."""
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD"]))
    status = draw(st.sampled_from([200, 204, 304, 404, 500, 999]))
    given, parts = draw(fields), draw(pieces | st.binary(max_size=60))
    start = b"HTTP/1.1 %d Some Reason\r\n" % status
    stream = framed(start, given, parts)
    body = parts if isinstance(parts, bytes) else b"".join(parts)
    if method == b"HEAD" or status in (204, 304):
        stream, body = stream[: stream.index(b"\r\n\r\n") + 4], b""
    return Message(stream, method, status, given, body)


@st.composite
def cuts(draw: Any, stream: bytes) -> list[bytes]:
    """Draw a way in which a stream may come."""
    places = draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    ends = [*places, len(stream)]
    return [stream[start:end] for start, end in zip([0, *places], ends, strict=True)]


Events = list[Any]


def events_of(parser: RequestParser | ResponseParser, came: list[bytes]) -> Events:
    """Return what a parser makes of a stream; pieces of one body are joined, an error is a word."""
    events: Events = []
    try:
        for piece in came:
            parser.receive(piece)
            while (event := parser.next_event()) is not None:
                if isinstance(event, bytes) and isinstance(events[-1], bytes):
                    events[-1] += event
                else:
                    events.append(event)
    except ProtocolError:
        events.append("refused")
    return events


def bodies_of(events: Events) -> list[bytes]:
    """Return the body of each whole message."""
    bodies = []
    for before, event in zip([b"", *events], events, strict=False):
        if isinstance(event, End):
            bodies.append(before if isinstance(before, bytes) else b"")
    return bodies


def heads_of(events: Events) -> list[RequestHead]:
    """Return the heads of requests."""
    return [event for event in events if isinstance(event, RequestHead)]
