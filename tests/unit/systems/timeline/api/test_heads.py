"""A refusal names the part of a head that is wrong, as far as that can be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.api.heads import Part, largest, malformed

LINE = b"GET /x HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"", Part("method", None)),
        (b"G\x00T / HTTP/1.1\r\n", Part("method", None)),
        (b"get / HTTP/1.1\r\n", Part("method", None)),
        (b"GET /caf\xc3\xa9 HTTP/1.1\r\n", Part("path", "path")),
        (b"GET /x?limit=5&cursor=\x01 HTTP/1.1\r\n", Part("cursor", "query")),
        (b"GET /x?\xff HTTP/1.1\r\n", Part("query", "query")),
        (b"GET /a b HTTP/1.1\r\n", Part("path", "path")),
        (b"CONNECT a:1 HTTP/1.1\r\n", Part("path", "path")),
        (b"GET / HTTP/9.9\r\n", Part("version", None)),
        (LINE + b"Idempotency-Key: a\x01b\r\n", Part("Idempotency-Key", "header")),
        (LINE + b"Idempotency-Key: a\x7fb\r\n", Part("Idempotency-Key", "header")),
        (LINE + b"no colon\r\n", Part("headers", "header")),
        (LINE + b"sp ace: 1\r\n", Part("headers", "header")),
        (LINE + b"content-length: -1\r\n", Part("Content-Length", "header")),
        (LINE + b"Content-Length: 1e3\r\n\r\n", Part("Content-Length", "header")),
        (
            LINE + b"Content-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            Part("Transfer-Encoding", "header"),
        ),
    ],
)
def test_the_first_wrong_part_is_named(head: bytes, part: Part) -> None:
    """Method, path, parameter, version or header."""
    assert malformed(head) == part


def test_a_sound_head_has_no_wrong_part() -> None:
    """Whatever was refused for another reason is not blamed on a part."""
    assert malformed(LINE + b"Cookie: a=b; c=\xe9\r\nContent-Length: 5 \r\n\r\n") is None


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"GET /" + b"a" * 99, Part("path", "path")),
        (
            b"GET /x?limit=5&cursor=" + b"a" * 99 + b" HTTP/1.1\r\nHost: a\r\n",
            Part("cursor", "query"),
        ),
        (LINE + b"Idempotency-Key: " + b"a" * 99, Part("Idempotency-Key", "header")),
        (LINE + b"n" * 99, Part("headers", "header")),
        (LINE + b"n" * 99 + b": 1", Part("n" * 64, "header")),
    ],
)
def test_the_largest_part_is_named(head: bytes, part: Part) -> None:
    """It is the one to shorten, also when only the beginning of the head is known."""
    assert largest(head) == part


@given(head=st.binary(max_size=300))
def test_any_bytes_are_described(head: bytes) -> None:
    """Nothing that a client sends makes the description itself fail."""
    assert largest(head).field
    malformed(head)
