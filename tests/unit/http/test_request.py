"""Requests are written out with the framing that their body has, or not at all."""

from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.http import Limits, Request, Timeouts
from loadpath.http.request import Outgoing, Writer, outgoing

Fields = list[tuple[bytes, bytes]]


async def pieces() -> AsyncIterator[bytes]:
    """Give a body in pieces."""
    yield b"x"


@pytest.mark.parametrize(
    ("request_", "head"),
    [
        (Request(b"GET", b"/"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Request(b"POST", b"/"), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        (Request(b"GET", b"/", [(b"host", b"b")]), b"GET / HTTP/1.1\r\nhost: b\r\n\r\n"),
        (
            Request(b"PUT", b"/", (), b"hello"),
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            Request(b"PUT", b"/", [(b"Content-Length", b"5")], b"hello"),
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            Request(b"PUT", b"/", (), pieces()),
            b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            Request(b"PUT", b"/", [(b"Transfer-Encoding", b"Chunked")], pieces()),
            b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
        ),
        (
            Request(b"PUT", b"/", [(b"Content-Length", b"1")], pieces()),
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        ),
    ],
)
def test_framing_is_added(request_: Request, head: bytes) -> None:
    """`Host` and what frames the body, once."""
    assert outgoing(request_, b"a").head == head


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([(b"Content-Length", b"4")], b"hello"),
        ([(b"Content-Length", b"5")], None),
        ([(b"Content-Length", b"5"), (b"content-length", b"5")], b"hello"),
        ([(b"Host", b"a"), (b"host", b"a")], None),
        ([(b"Transfer-Encoding", b"chunked")], b"hello"),
        ([(b"Transfer-Encoding", b"gzip, chunked")], pieces()),
        ([(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"1")], pieces()),
        ([(b"Content-Length", b"x")], pieces()),
        ([(b"X", b"a\r\nY: b")], None),
    ],
)
def test_a_contradiction_is_refused(fields: Fields, body: bytes | AsyncIterator[bytes]) -> None:
    """A head that lies about its body is not sent."""
    with pytest.raises(ValueError, match=r"Content-Length|Transfer-Encoding|there once|control"):
        outgoing(Request(b"PUT", b"/", fields, body), b"a")


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT"])
def test_some_methods_have_no_body(method: bytes) -> None:
    """RFC 9110, 9.3.6 and 9.3.8."""
    target = b"/" if method == b"TRACE" else b"a:443"
    outgoing(Request(method, target), b"a")
    with pytest.raises(ValueError, match="may not have a body"):
        outgoing(Request(method, target, (), b"x"), b"a")


def test_whether_it_may_be_sent_twice() -> None:
    """An idempotent method, and a body that is still there."""
    assert Request(b"GET", b"/").is_repeatable
    assert Request(b"PUT", b"/", body=b"a").is_repeatable
    assert not Request(b"PUT", b"/", body=pieces()).is_repeatable
    assert not Request(b"POST", b"/").is_repeatable
    assert not Request(b"get", b"/").is_repeatable


def test_whether_it_ends_the_connection() -> None:
    """`Connection: close` is the sender's word as well."""
    assert outgoing(Request(b"GET", b"/"), b"a").framing.keep_alive
    closing = Request(b"GET", b"/", [(b"Connection", b"Close")])
    assert not outgoing(closing, b"a").framing.keep_alive


def test_bounds_are_checked_when_given() -> None:
    """Times are above nothing, sizes at least one."""
    with pytest.raises(ValueError, match="read must be above 0 s"):
        Timeouts(read=0)
    with pytest.raises(ValueError, match="total"):
        Timeouts(total=float("nan"))
    with pytest.raises(ValueError, match="fields must be at least 1"):
        Limits(fields=0)


FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"Host", b"X", b"Connection", b"Upgrade", b"Content-Length"]),
        st.sampled_from([b"0", b"close", b"a\nb", b"websocket"]),
    ),
    max_size=3,
)
ASKED = st.builds(
    Request,
    st.sampled_from([b"GET", b"POST", b"CONNECT", b"G T"]),
    st.sampled_from([b"/", b"/a?b", b"a:1", b"/a b"]),
    FIELDS,
    st.sampled_from([None, None, b"", b"body"]),
)


@given(st.lists(ASKED, max_size=8))
def test_a_writer_writes_what_a_single_request_would_be(asked: list[Request]) -> None:
    """Whatever came before, a request is written or refused as if it were the first."""
    writer = Writer(b"a.example")
    for each in asked:
        alone = outcome(partial(outgoing, each, b"a.example"))
        assert outcome(partial(writer.write, each)) == alone


def outcome(write: Callable[[], Outgoing]) -> Outgoing | str:
    """Return what is written, or why it is not."""
    try:
        return write()
    except ValueError as error:
        return str(error)


def test_a_writer_notices_that_a_list_was_changed() -> None:
    """Fields that the caller changes after the call are those of the next one."""
    writer, fields = Writer(b"a"), [(b"X", b"1")]
    request = Request(b"GET", b"/", fields)
    first = writer.write(request)
    fields[0] = (b"X", b"2")
    assert (first.head, writer.write(request).head) == (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 2\r\n\r\n",
    )
