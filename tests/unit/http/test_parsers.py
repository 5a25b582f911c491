"""Messages end where they end, however the stream is cut, and never run into each other."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.http import (
    End,
    Limits,
    ProtocolError,
    RequestParser,
    ResponseHead,
    ResponseParser,
    TruncatedError,
)
from tests.contracts.http_requests import CASES
from tests.unit.http.streams import (
    Message,
    bodies_of,
    cuts,
    events_of,
    heads_of,
    requests,
    responses,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def expecting(method: bytes = b"GET", *, limits: Limits | None = None) -> ResponseParser:
    """Return a parser that waits for one response."""
    parser = ResponseParser(limits or Limits())
    parser.expect(method)
    return parser


@given(data=st.data(), messages=st.lists(requests(), min_size=1, max_size=4))
def test_pipelined_requests_come_apart(data: st.DataObject, messages: list[Message]) -> None:
    """Whatever is sent in whatever pieces: every request is whole, and only what it was."""
    stream = b"".join(message.stream for message in messages)
    events = events_of(RequestParser(), data.draw(cuts(stream)))
    heads = heads_of(events)
    assert [head.method for head in heads] == [message.method for message in messages]
    assert [head.fields[1:-1] for head in heads] == [message.fields for message in messages]
    assert bodies_of(events) == [message.body for message in messages]


@given(data=st.data(), messages=st.lists(responses(), min_size=1, max_size=4))
def test_responses_come_apart(data: st.DataObject, messages: list[Message]) -> None:
    """Responses on one connection end where they end, by the request that each answers."""
    parser = ResponseParser()
    for message in messages:
        parser.expect(message.method)
        events = events_of(parser, data.draw(cuts(message.stream)))
        assert isinstance(events[0], ResponseHead)
        assert events[0].status == message.status
        assert events[0].fields[:-1] == message.fields
        assert bodies_of(events) == [message.body]
        assert parser.is_idle


@given(data=st.data(), case=st.sampled_from(CASES))
def test_a_cut_changes_nothing(data: st.DataObject, case: object) -> None:
    """Good or bad, a stream means the same in any pieces."""
    stream: bytes = case.stream  # type: ignore[attr-defined] # a named tuple of the table
    whole = events_of(RequestParser(), [stream])
    assert events_of(RequestParser(), data.draw(cuts(stream))) == whole


@given(data=st.data(), noise=st.binary(max_size=200), message=requests())
def test_noise_behind_a_request_changes_nothing_before_it(
    data: st.DataObject, noise: bytes, message: Message
) -> None:
    """A request is what it is, whatever comes behind it."""
    alone = events_of(RequestParser(), [message.stream])
    events = events_of(RequestParser(), data.draw(cuts(message.stream + noise)))
    assert events[: len(alone)] == alone


def test_a_large_body_is_not_copied() -> None:
    """A piece that is body and nothing else is handed on as the same object."""
    parser = RequestParser()
    parser.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    parser.next_event()
    piece = bytes(50_000)
    parser.receive(piece)
    assert parser.next_event() is piece


def test_nothing_is_read_on_behind_a_request_that_may_switch() -> None:
    """What follows an upgrade or CONNECT belongs to whoever takes it."""
    parser = RequestParser()
    parser.receive(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03\x01")
    (head,) = heads_of([parser.next_event()])
    assert (head.authority, head.path) == (b"a:443", b"a:443")
    assert parser.next_event() == End()
    assert parser.rest() == b"\x16\x03\x01"
    assert parser.is_idle


def test_a_body_ends_with_the_connection() -> None:
    """A response without a length is whole when the connection ends."""
    parser = expecting()
    parser.receive(b"HTTP/1.0 200 OK\r\n\r\nall of ")
    assert isinstance(parser.next_event(), ResponseHead)
    assert parser.next_event() == b"all of "
    assert parser.next_event() is None
    parser.receive(b"it")
    assert parser.next_event() == b"it"
    parser.receive_end()
    assert parser.next_event() == End()


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
    ],
)
def test_a_connection_that_ends_too_early_is_found_out(stream: bytes) -> None:
    """Half a head, half a body and chunks without the last one are not whole."""
    parser = expecting()
    parser.receive(stream)
    parser.receive_end()
    with pytest.raises(TruncatedError):
        deque(iter(parser.next_event, None))


def test_a_whole_response_is_whole_although_the_connection_ends() -> None:
    """The end of the connection may be known before the response was looked at."""
    parser = expecting()
    parser.receive(OK)
    parser.receive_end()
    assert isinstance(parser.next_event(), ResponseHead)
    assert parser.next_event() == b"hi"
    assert parser.next_event() == End()


def test_interim_responses_come_before_the_final_one() -> None:
    """A 1xx is a head without a body; the response is still to come."""
    parser = expecting()
    parser.receive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + OK)
    statuses = [
        event.status for _ in range(5) if isinstance(event := parser.next_event(), ResponseHead)
    ]
    assert statuses == [100, 103, 200]
    assert parser.is_idle


def test_interim_responses_have_an_end() -> None:
    """A server cannot keep a client busy with 1xx."""
    parser = expecting(limits=Limits(interim=3))
    parser.receive(b"HTTP/1.1 102 Processing\r\n\r\n" * 4)
    for _ in range(3):
        assert isinstance(parser.next_event(), ResponseHead)
    with pytest.raises(ProtocolError, match="interim"):
        parser.next_event()


def test_what_nobody_asked_for_is_refused() -> None:
    """Bytes behind a response answer nothing: the connection is of no more use."""
    parser = expecting()
    parser.receive(OK + b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(3):
        parser.next_event()
    assert not parser.is_idle
    with pytest.raises(ProtocolError, match="no request"):
        parser.next_event()


@pytest.mark.parametrize(
    ("method", "status"), [(b"GET", 101), (b"CONNECT", 200), (b"CONNECT", 299)]
)
def test_a_switch_of_protocols_ends_http(method: bytes, status: int) -> None:
    """After a 101, or a 2xx to CONNECT, the rest is another protocol's."""
    parser = expecting(method)
    parser.receive(b"HTTP/1.1 %d Switched\r\nContent-Length: 7\r\n\r\nanother" % status)
    assert isinstance(parser.next_event(), ResponseHead)
    assert parser.next_event() == End()
    assert parser.switched
    assert parser.next_event() is None
    assert parser.rest() == b"another"
    with pytest.raises(RuntimeError):
        parser.expect(b"GET")


def test_one_response_is_awaited_at_a_time() -> None:
    """The method decides how a response ends, so the order must be plain."""
    parser = expecting()
    with pytest.raises(RuntimeError, match="before"):
        parser.expect(b"GET")
