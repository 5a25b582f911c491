"""Two other parsers are asked as well: what we accept they understand the same way.

On what is valid all agree; what is not, we refuse at least where one of them does. Both are known
to be laxer in places; the other direction is what `test_conformance` is for.
"""

import re
from contextlib import suppress
from typing import Any

import h11
import httptools
from hypothesis import assume, given
from hypothesis import strategies as st

from loadpath.http import RequestHead, RequestParser, ResponseParser
from tests.contracts.http_requests import CASES
from tests.unit.http.streams import Message, bodies_of, events_of, heads_of, requests, responses

Seen = list[tuple[bytes, bytes, bytes]]
"""Method (or status), target and body of each whole message."""


def ours(stream: bytes) -> Seen:
    """Return the whole requests that we see."""
    events = events_of(RequestParser(), [stream])
    return [
        (head.method, head.target, body)
        for head, body in zip(heads_of(events), bodies_of(events), strict=False)
    ]


def h11s(stream: bytes) -> Seen:
    """Return the whole requests that h11 sees."""
    seen: Seen = []
    head: Any = None
    body = b""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(stream)
    with suppress(h11.ProtocolError):
        while True:
            event: Any = connection.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.append((head.method, head.target, body))
                connection.send(h11.Response(status_code=200, headers=[]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            else:
                break
    return seen


class _Messages:
    """Collect what httptools tells."""

    def __init__(self) -> None:
        self.seen: Seen = []
        self.parser: Any = None

    def on_message_begin(self) -> None:
        """Begin a message."""
        self.seen.append((b"", b"", b""))

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.seen[-1] = (b"", self.seen[-1][1] + url, b"")

    def on_headers_complete(self) -> None:
        """Take the method."""
        self.seen[-1] = (self.parser.get_method(), *self.seen[-1][1:])

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self.seen[-1] = (*self.seen[-1][:2], self.seen[-1][2] + body)


def httptools_sees(stream: bytes) -> Seen:
    """Return the requests that httptools sees."""
    messages = _Messages()
    messages.parser = httptools.HttpRequestParser(messages)
    messages.parser.feed_data(stream)
    return messages.seen


@given(messages=st.lists(requests(), min_size=1, max_size=3))
def test_h11_agrees_on_requests(messages: list[Message]) -> None:
    """Requests that anybody may send mean the same to h11."""
    stream = b"".join(message.stream for message in messages)
    assert h11s(stream) == ours(stream)


@given(
    messages=st.lists(requests(), min_size=1, max_size=3),
    method=st.sampled_from([b"GET", b"PUT", b"DELETE", b"OPTIONS"]),
)
def test_httptools_agrees_on_requests(messages: list[Message], method: bytes) -> None:
    """Requests of methods that httptools knows mean the same to it."""
    stream = b"".join(message.stream.replace(message.method, method, 1) for message in messages)
    assert httptools_sees(stream) == ours(stream)


@given(message=responses())
def test_h11_agrees_on_responses(message: Message) -> None:
    """Responses that anybody may send mean the same to h11."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=message.method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(message.stream)
    head: Any = connection.next_event()
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    parser = ResponseParser()
    parser.expect(message.method)
    events = events_of(parser, [message.stream])
    assert (events[0].status, events[0].reason) == (head.status_code, bytes(head.reason))
    assert [(name.lower(), value) for name, value in events[0].fields] == list(head.headers)
    assert bodies_of(events) == [body]


@st.composite
def damaged(draw: Any) -> bytes:
    """Draw a stream with a byte or two changed, left out or added."""
    message: Message = draw(requests())
    stream = bytearray(message.stream)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(stream) - 1))
        kind = draw(st.sampled_from(["change", "remove", "add"]))
        byte = draw(st.sampled_from(b"\0\t\n\r :;,=0159aFx/*-\x7f\xff"))
        if kind == "change":
            stream[at] = byte
        elif kind == "remove":
            del stream[at]
        else:
            stream.insert(at, byte)
    return bytes(stream)


H11_TAKES_NO_EMPTY_LINES = "an empty line after a body is ignored"
STREAMS = [case.stream for case in CASES if case.name != H11_TAKES_NO_EMPTY_LINES]


@given(stream=damaged() | st.sampled_from(STREAMS))
def test_we_are_as_strict_as_h11(stream: bytes) -> None:
    """What we take for whole requests, h11 takes for the same ones."""
    mine = ours(stream)
    assume(mine)
    theirs = h11s(stream)
    assert theirs[: len(mine)] == mine or _h11_is_stricter(stream), theirs


def _h11_is_stricter(stream: bytes) -> bool:
    """Return whether h11 refuses what the RFC allows, so that we accept it."""
    first = stream.lstrip(b"\r\n").partition(b"\r\n")[0]
    heads = heads_of(events_of(RequestParser(), [stream]))
    lists = [head.get(b"transfer-encoding") or b"chunked" for head in heads]
    return (
        stream.startswith(b"\r\n")  # an empty line before a request
        or not first.endswith((b"1.1", b"1.0"))  # a later minor version
        or any(each.lower() != b"chunked" for each in lists)  # a list with empty elements
        or re.search(rb"[\t ];", stream) is not None  # white space before an extension
        or any(_is_odd(head) for head in heads)
    )


def _is_odd(head: RequestHead) -> bool:
    return head.method == b"CONNECT" or head.upgrade is not None
