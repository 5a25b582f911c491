"""Heads become values, and what is refused says why."""

import pytest

from loadpath.http import CHUNKED, Limits, ProtocolError, parse_request_head, parse_response_head
from loadpath.http.heads import RequestHead


def parse(*lines: bytes, first: bytes = b"GET /a?b HTTP/1.1") -> RequestHead:
    """Read a request of these lines."""
    data = b"\r\n".join([first, b"Host: example.com:80", *lines, b""])
    return parse_request_head(data, 0, len(data))


def test_a_request_is_what_was_sent() -> None:
    """Method, target and fields keep their bytes, their order and their case."""
    head = parse(b"X-One:  1 ", b"x-two:", b"X-One: 3")
    assert (head.method, head.target, head.minor, head.length) == (b"GET", b"/a?b", 1, 0)
    assert head.fields[1:] == [(b"X-One", b"1"), (b"x-two", b""), (b"X-One", b"3")]
    assert head.get(b"x-one") == b"1, 3"
    assert head.all(b"x-one") == [b"1", b"3"]
    assert head.get(b"x-three") is None
    assert (head.authority, head.path) == (b"example.com:80", b"/a?b")


def test_a_response_is_what_was_sent() -> None:
    """Status, reason and fields; cookies are never one line."""
    data = b"HTTP/1.1 404 Not There\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
    head = parse_response_head(data, 0, len(data))
    assert (head.status, head.reason, head.minor) == (404, b"Not There", 1)
    assert head.all(b"set-cookie") == [b"a=1", b"b=2"]
    assert head.get(b"content-type") is None


def test_a_head_is_read_where_it_stands() -> None:
    """What is before and behind it in the data is not looked at."""
    data = b"\xff\xff\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nno: header\r\n"
    head = parse_request_head(data, 4, data.index(b"\r\n\r\n") + 2)
    assert head.fields == [(b"Host", b"a")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET http://other:81/a?b HTTP/1.1", (b"other:81", b"/a?b")),
        (b"GET HTTPS://other HTTP/1.1", (b"other", b"/")),
        (b"GET http://other?b HTTP/1.1", (b"other", b"/?b")),
        (b"OPTIONS http://other HTTP/1.1", (b"other", b"*")),
        (b"OPTIONS * HTTP/1.1", (b"example.com:80", b"*")),
        (b"CONNECT [::1]:443 HTTP/1.1", (b"[::1]:443", b"[::1]:443")),
    ],
)
def test_the_target_decides_who_is_asked(line: bytes, expected: tuple[bytes, bytes]) -> None:
    """An address in the target goes before `Host` (RFC 9112, 3.2.2)."""
    head = parse(first=line)
    assert (head.authority, head.path) == expected


@pytest.mark.parametrize(
    ("first", "line", "keeps"),
    [
        (b"GET / HTTP/1.1", b"X: a", True),
        (b"GET / HTTP/1.1", b"Connection: close", False),
        (b"GET / HTTP/1.1", b"Connection: Upgrade , CLOSE", False),
        (b"GET / HTTP/1.1", b"Connection: keep-alive, Upgrade", True),
        (b"GET / HTTP/1.0", b"X: a", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close", False),
    ],
)
def test_whether_the_connection_goes_on(first: bytes, line: bytes, keeps: bool) -> None:  # noqa: FBT001 (a table's column)
    """Version and `Connection` decide (RFC 9112, 9.3)."""
    assert parse(line, first=first).keep_alive is keeps


def test_what_else_a_request_asks_for() -> None:
    """A 100 before the body, or another protocol; HTTP/1.0 asks for neither."""
    assert parse(b"Expect: 100-Continue").expects_continue
    assert not parse(b"Expect: 100-continue", first=b"GET / HTTP/1.0").expects_continue
    assert not parse().expects_continue
    assert parse(b"Upgrade: websocket", b"Connection: Upgrade").upgrade == b"websocket"
    assert parse(b"Upgrade: websocket").upgrade is None
    assert parse().upgrade is None
    old = parse(b"Upgrade: a", b"Connection: Upgrade", first=b"GET / HTTP/1.0")
    assert old.upgrade is None


def test_lengths() -> None:
    """The head says how long the body is."""
    assert parse(b"Content-Length: 42").length == 42
    assert parse(b"Transfer-Encoding: chunked").length == CHUNKED


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"X : a", "white space before the colon"),
        (b" X: a", "obs-fold"),
        (b"X a", "no colon"),
        (b"X(: a", "must be a token"),
        (b"X: \x01", "control character"),
        (b"Host: b", "Host must be there once"),
        (b"Content-Length: x", "decimal number"),
        (b"Transfer-Encoding: chunked, x", "must end in one"),
    ],
)
def test_a_refusal_says_why(line: bytes, why: str) -> None:
    """The message names the rule and shows the line."""
    with pytest.raises(ProtocolError, match=why):
        parse(line)


@pytest.mark.parametrize(
    ("first", "why", "status"),
    [
        (b"GET /  HTTP/1.1", "must look like", 400),
        (b"GET a HTTP/1.1", "target must be", 400),
        (b"GET / HTTP/3.0", "HTTP/1.1 is spoken", 505),
        (b"GET / HTTX/1.1", "version must be", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1", "8192", 414),
        (b"OPTIONS http://a/" + b"a" * 9000 + b" HTTP/1.1", "8192", 414),
    ],
)
def test_a_bad_first_line_says_why(first: bytes, why: str, status: int) -> None:
    """So does the one of the first line, with the status to answer."""
    with pytest.raises(ProtocolError, match=why) as caught:
        parse(first=first)
    assert caught.value.status == status


def test_a_long_status_line_is_refused() -> None:
    """A reason phrase is bounded as a target is."""
    data = b"HTTP/1.1 200 " + b"a" * 100 + b"\r\n"
    with pytest.raises(ProtocolError, match="larger than 50"):
        parse_response_head(data, 0, len(data), Limits(start_line=50))


def test_a_pattern_takes_time_in_proportion() -> None:
    """Nothing that is refused is tried in many ways: 4 MB of white space end at once."""
    block = b"X:" + b" \t" * 2_000_000 + b"\0\r\n"
    data = b"HTTP/1.1 200 OK\r\n" + block
    with pytest.raises(ProtocolError):
        parse_response_head(data, 0, len(data))
