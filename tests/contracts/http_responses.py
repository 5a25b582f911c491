"""What a client must make of a response: one table, run on the parser and on the pooled client.

Source: RFC 9110 and RFC 9112; the cases are our own.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """One response, after which the server closes.

    Attributes:
        name: What it shows.
        section: Of RFC 9112, or of RFC 9110 where it begins with `S`.
        method: Of the request.
        stream: What the server sends.
        status: What the client must see, 0 when it must refuse the head.
        body: What it must read, None when it must refuse the body.
    """

    name: str
    section: str
    method: bytes
    stream: bytes
    status: int
    body: bytes | None = None


def head(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """Return a head of these lines."""
    return b"\r\n".join([first, *lines, b"", b""])


FIVE = head(b"Content-Length: 5")
CHUNKED = head(b"Transfer-Encoding: chunked")
GET = b"GET"

CASES = [
    Case("a length is kept", "6.3", GET, FIVE + b"hello", 200, b"hello"),
    Case(
        "chunks are decoded",
        "7.1",
        GET,
        CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        200,
        b"hello",
    ),
    Case("a body may end with the connection", "6.3", GET, head() + b"hello", 200, b"hello"),
    Case(
        "an older version is understood",
        "2.3",
        GET,
        head(first=b"HTTP/1.0 200 OK") + b"hello",
        200,
        b"hello",
    ),
    Case(
        "a later minor version is understood",
        "2.3",
        GET,
        head(b"Content-Length: 0", first=b"HTTP/1.9 200 OK"),
        200,
        b"",
    ),
    Case(
        "a reason may be empty",
        "4",
        GET,
        head(b"Content-Length: 0", first=b"HTTP/1.1 200 "),
        200,
        b"",
    ),
    Case(
        "a reason may be missing",
        "4",
        GET,
        head(b"Content-Length: 0", first=b"HTTP/1.1 200"),
        200,
        b"",
    ),
    Case(
        "a reason may be in another script",
        "4",
        GET,
        head(b"Content-Length: 0", first="HTTP/1.1 200 좋아요".encode()),
        200,
        b"",
    ),
    Case(
        "any status of three digits is one",
        "S15",
        GET,
        head(b"Content-Length: 0", first=b"HTTP/1.1 599 Odd"),
        599,
        b"",
    ),
    Case("HEAD has no body, whatever it says", "6.3", b"HEAD", FIVE, 200, b""),
    Case("HEAD has no chunks", "6.3", b"HEAD", CHUNKED, 200, b""),
    Case(
        "204 has no body",
        "6.3",
        GET,
        head(b"Content-Length: 5", first=b"HTTP/1.1 204 No"),
        204,
        b"",
    ),
    Case(
        "304 has no body",
        "6.3",
        GET,
        head(b"Content-Length: 5", first=b"HTTP/1.1 304 No"),
        304,
        b"",
    ),
    Case(
        "an interim response is passed over",
        "S15.2",
        GET,
        head(b"Link: a", first=b"HTTP/1.1 103 Hints") + FIVE + b"hello",
        200,
        b"hello",
    ),
    Case(
        "an interim response has no body",
        "6.3",
        GET,
        head(b"Content-Length: 5", first=b"HTTP/1.1 102 Wait") + FIVE + b"hello",
        200,
        b"hello",
    ),
    Case(
        "a folded line is unfolded",
        "5.2",
        GET,
        head(b"X: a", b"  b", b"Content-Length: 5") + b"hello",
        200,
        b"hello",
    ),
    Case("a trailer is taken", "7.1.2", GET, CHUNKED + b"0\r\nX-Sum: a\r\n\r\n", 200, b""),
    Case(
        "extensions are ignored",
        "7.1.1",
        GET,
        CHUNKED + b'5;a="b"\r\nhello\r\n0\r\n\r\n',
        200,
        b"hello",
    ),
    Case("a body that ends early is not whole", "8", GET, FIVE + b"hell", 200),
    Case("chunks that end early are not whole", "8", GET, CHUNKED + b"5\r\nhello\r\n", 200),
    Case(
        "a chunk that is no chunk ends the body",
        "7.1",
        GET,
        CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
        200,
    ),
    Case(
        "a trailer has no length", "S6.5.1", GET, CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 200
    ),
    Case(
        "a coding and a length are refused",
        "6.3",
        GET,
        head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n",
        0,
    ),
    Case(
        "two lengths are refused",
        "6.3",
        GET,
        head(b"Content-Length: 5", b"Content-Length: 6") + b"hello!",
        0,
    ),
    Case("a length is a number", "6.3", GET, head(b"Content-Length: +5") + b"hello", 0),
    Case(
        "a length that no number holds is refused",
        "S8.6",
        GET,
        head(b"Content-Length: " + b"9" * 30),
        0,
    ),
    Case(
        "an unknown coding is refused", "6.1", GET, head(b"Transfer-Encoding: gzip") + b"hello", 0
    ),
    Case(
        "a coding below the chunks is refused",
        "6.1",
        GET,
        head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        0,
    ),
    Case(
        "HTTP/1.0 has no codings",
        "6.1",
        GET,
        head(b"Transfer-Encoding: chunked", first=b"HTTP/1.0 200 OK") + b"0\r\n\r\n",
        0,
    ),
    Case(
        "white space before the first field is refused",
        "2.2",
        GET,
        head(b" X: a", b"Content-Length: 0"),
        0,
    ),
    Case(
        "white space before the colon is refused",
        "5.1",
        GET,
        head(b"Content-Length : 5") + b"hello",
        0,
    ),
    Case("a field has a colon", "5", GET, head(b"no colon"), 0),
    Case("a name is a token", "5", GET, head(b"Bad Name: a"), 0),
    Case("a value holds no NUL", "S5.5", GET, head(b"X: a\0b"), 0),
    Case("a value holds no bare CR", "2.2", GET, head(b"X: a\rb"), 0),
    Case("a bare LF ends no line", "2.2", GET, b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 0),
    Case("a version is there", "4", GET, head(first=b"200 OK"), 0),
    Case("HTTP/2 is not spoken", "2.3", GET, head(first=b"HTTP/2 200"), 0),
    Case("a status has three digits", "4", GET, head(first=b"HTTP/1.1 20 OK"), 0),
    Case("a status has no four digits", "4", GET, head(first=b"HTTP/1.1 2000 OK"), 0),
    Case("a status is a number", "4", GET, head(first=b"HTTP/1.1 abc OK"), 0),
    Case("a request is no response", "2.1", GET, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
    Case("nothing is no response", "8", GET, b"", 0),
]
