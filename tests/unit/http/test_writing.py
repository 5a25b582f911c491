"""What is written is read as the same, and nothing can be smuggled into it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadpath.http import (
    LAST_CHUNK,
    Limits,
    RequestParser,
    ResponseParser,
    parse_request_head,
    parse_response_head,
    write_chunk,
    write_last_chunk,
    write_request_head,
    write_response_head,
)
from loadpath.http.bodies import ChunkedFramer
from tests.unit.http.streams import FRAMING, fields, paths, pieces, tokens

HOST = (b"Host", b"a")


@given(method=tokens.filter(lambda name: name != b"CONNECT"), target=paths, given_=fields)
def test_a_request_comes_back(
    method: bytes, target: bytes, given_: list[tuple[bytes, bytes]]
) -> None:
    """Written and read, it is the same request."""
    written = write_request_head(method, target, [HOST, *given_])
    head = parse_request_head(written, 0, len(written) - 2)
    assert (head.method, head.target, head.fields) == (method, target, [HOST, *given_])


@given(status=st.integers(100, 999), given_=fields)
def test_a_response_comes_back(status: int, given_: list[tuple[bytes, bytes]]) -> None:
    """Written and read, it is the same response."""
    written = write_response_head(status, given_)
    head = parse_response_head(written, 0, len(written) - 2)
    assert (head.status, head.fields) == (status, given_)


@given(parts=pieces)
def test_chunks_come_back(parts: list[bytes]) -> None:
    """Written and read, it is the same body; nothing is no chunk."""
    written = b"".join(map(write_chunk, [b"", *parts, b""])) + LAST_CHUNK
    framer = ChunkedFramer(Limits())
    assert framer.feed(written, 0) == (b"".join(parts), len(written))
    assert framer.done


@given(name=st.binary(max_size=6), value=st.binary(max_size=8))
def test_no_field_becomes_two(name: bytes, value: bytes) -> None:
    """Whatever is given as name and value: one field comes out, or none."""
    assume(name.lower() not in FRAMING)
    try:
        written = write_request_head(b"GET", b"/", [HOST, (name, value)])
    except ValueError:
        return
    parser = RequestParser()
    parser.receive(written)
    head = parser.next_event()
    assert getattr(head, "fields", None) == [HOST, (name, value.strip(b" \t"))]
    parser.next_event()
    assert parser.is_idle


@pytest.mark.parametrize("bad", [b"a\r\nX: b", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb"])
def test_a_value_without_line_ends_only(bad: bytes) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match="'X-Bad' holds a control character"):
        write_response_head(200, [(b"X", b"a"), (b"X-Bad", bad)])
    with pytest.raises(ValueError, match="first line"):
        write_response_head(200, (), reason=bad)


@pytest.mark.parametrize("bad", [b"", b"a b", b"a:", b"a\r\n", "é".encode()])
def test_names_are_tokens(bad: bytes) -> None:
    """Header names and methods alike."""
    with pytest.raises(ValueError, match="token"):
        write_request_head(b"GET", b"/", [(bad, b"")])
    with pytest.raises(ValueError, match="token"):
        write_request_head(bad, b"/", ())


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b""),
        (b"GET", b"a"),
        (b"GET", b"/ HTTP/1.1\r\nX: y"),
        (b"GET", b"/a b"),
        (b"GET", b"*"),
        (b"GET", b"a:80"),
        (b"CONNECT", b"/"),
        (b"CONNECT", b"a@b:80"),
        (b"GET", "/é".encode()),
    ],
)
def test_a_target_is_one(method: bytes, target: bytes) -> None:
    """What a parser would refuse is not sent."""
    with pytest.raises(ValueError, match="target"):
        write_request_head(method, target, ())


@pytest.mark.parametrize(
    ("method", "target"),
    [(b"OPTIONS", b"*"), (b"CONNECT", b"a:80"), (b"GET", b"http://a:80/b?c")],
)
def test_other_forms_of_a_target(method: bytes, target: bytes) -> None:
    """An asterisk, an authority and an address where they may be."""
    assert write_request_head(method, target, ()).startswith(method + b" " + target + b" HTTP/1.1")


def test_a_status_line() -> None:
    """The usual reason, another one, or none."""
    assert write_response_head(404, ()) == b"HTTP/1.1 404 Not Found\r\n\r\n"
    assert write_response_head(404, (), reason=b"Gone") == b"HTTP/1.1 404 Gone\r\n\r\n"
    assert write_response_head(799, ()) == b"HTTP/1.1 799 \r\n\r\n"
    with pytest.raises(ValueError, match="100-999"):
        write_response_head(1000, ())


def test_a_trailer_is_read_as_one() -> None:
    """Fields behind the body come back; those that may not be there are refused."""
    parser = ResponseParser()
    parser.expect(b"GET")
    head = write_response_head(200, [(b"Transfer-Encoding", b"chunked")])
    parser.receive(head + write_chunk(b"hi") + write_last_chunk([(b"X-Sum", b"1")]))
    parser.next_event()
    parser.next_event()
    assert getattr(parser.next_event(), "trailer", None) == ((b"X-Sum", b"1"),)
    assert write_last_chunk() == LAST_CHUNK
    with pytest.raises(ValueError, match="trailer"):
        write_last_chunk([(b"Content-Length", b"1")])
