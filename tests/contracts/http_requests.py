"""What a server must make of a stream of requests: one table, run on the parser and over sockets.

Each case is a stream and the statuses that it must be answered with, in order; after one that is
not 200 the connection must be closed and nothing behind it served.

Source: RFC 9110 and RFC 9112, section by section. What public suites check was the model, the cases
are our own: Http11Probe (github.com/MDA2AV/Http11Probe, 84 MUST) and h1spec
(github.com/dropseed/h1spec).
"""

from typing import NamedTuple

HOST = b"Host: example.com\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = GET + b"\r\n"


class Case(NamedTuple):
    """One stream.

    Attributes:
        name: What it shows.
        section: Of RFC 9112, or of RFC 9110 where it begins with `S`.
        stream: What the client sends.
        statuses: What it must be answered with.
    """

    name: str
    section: str
    stream: bytes
    statuses: tuple[int, ...]


def head(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    """Return a head with a host and these lines."""
    return b"\r\n".join([first, b"Host: example.com", *lines, b"", b""])


def length(value: bytes) -> bytes:
    """Return a request with this Content-Length, five bytes and a request behind them."""
    return head(b"Content-Length: " + value, first=b"POST / HTTP/1.1") + b"hello" + NEXT


def coding(*lines: bytes) -> bytes:
    """Return a request with these framing lines, a chunked body and a request behind it."""
    return head(*lines, first=b"POST / HTTP/1.1") + b"5\r\nhello\r\n0\r\n\r\n" + NEXT


def chunks(body: bytes) -> bytes:
    """Return a chunked request with this body and a request behind it."""
    return CHUNKED + body + NEXT


def host(value: bytes) -> bytes:
    """Return a request for this host."""
    return b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


LINES = [
    Case("a plain request is served", "3", NEXT, (200,)),
    Case("a request can be pipelined behind another", "9.3.2", NEXT + NEXT, (200, 200)),
    Case("one empty line before a request is ignored", "2.2", b"\r\n" + NEXT, (200,)),
    Case(
        "an empty line after a body is ignored",
        "2.2",
        length(b"5")[: -len(NEXT)] + b"\r\n" + NEXT,
        (200, 200),
    ),
    Case("empty lines without end are refused", "2.2", b"\r\n" * 50 + NEXT, (400,)),
    Case("a bare LF ends no request line", "2.2", b"GET / HTTP/1.1\n" + HOST + b"\r\n", (400,)),
    Case(
        "a bare LF ends no header line", "2.2", b"GET / HTTP/1.1\r\nHost: example.com\n\r\n", (400,)
    ),
    Case("bare LFs end no head", "2.2", b"GET / HTTP/1.1\nHost: example.com\n\n", (400,)),
    Case("a bare CR ends no line", "2.2", b"GET / HTTP/1.1\rHost: example.com\r\r", (400,)),
    Case("a bare CR in a value is refused", "2.2", head(b"X: a\rb"), (400,)),
    Case(
        "a bare CR in a request line is refused",
        "2.2",
        b"GET /\r HTTP/1.1\r\n" + HOST + b"\r\n",
        (400,),
    ),
    Case(
        "white space before the first header is refused",
        "2.2",
        b"GET / HTTP/1.1\r\n " + HOST + b"\r\n",
        (400,),
    ),
    Case("a line of white space before a request is refused", "2.2", b"  \r\n" + NEXT, (400,)),
    Case("noise is refused", "2.2", bytes(range(128, 200)) + b"\r\n\r\n", (400,)),
    Case("a response is no request", "2.1", b"HTTP/1.1 200 OK\r\n\r\n", (400,)),
    Case(
        "TLS is no request",
        "2.2",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        (400,),
    ),
]

REQUEST_LINES = [
    Case("any token is a method", "S9.1", head(first=b"X-!#$%&'*+.^_`|~ / HTTP/1.1"), (200,)),
    Case("a method is a token", "3.1", head(first=b"GE(T / HTTP/1.1"), (400,)),
    Case("a method is there", "3.1", head(first=b" / HTTP/1.1"), (400,)),
    Case("a target is there", "3", head(first=b"GET HTTP/1.1"), (400,)),
    Case("a target is not empty", "3", head(first=b"GET  HTTP/1.1"), (400,)),
    Case("two spaces are refused", "3", head(first=b"GET  / HTTP/1.1"), (400,)),
    Case("a space in the target is refused", "3.2", head(first=b"GET /a b HTTP/1.1"), (400,)),
    Case("a tab is no space", "3", head(first=b"GET\t/\tHTTP/1.1"), (400,)),
    Case("a space behind the version is refused", "3", head(first=b"GET / HTTP/1.1 "), (400,)),
    Case("a version is there", "3", head(first=b"GET /"), (400,)),
    Case("HTTP/0.9 is refused", "2.3", b"GET /\r\n\r\n", (400,)),
    Case("HTTP/2.0 is refused", "2.3", head(first=b"GET / HTTP/2.0"), (505,)),
    Case("the preface of HTTP/2 is refused", "2.3", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
    Case("HTTP/1.2 is served as HTTP/1.1", "2.3", head(first=b"GET / HTTP/1.2"), (200,)),
    Case("a version has a minor one", "2.3", head(first=b"GET / HTTP/1"), (400,)),
    Case("a version has two digits", "2.3", head(first=b"GET / HTTP/01.1"), (400,)),
    Case("a minor version is one digit", "2.3", head(first=b"GET / HTTP/1.10"), (400,)),
    Case("a version is in capitals", "2.3", head(first=b"GET / http/1.1"), (400,)),
    Case("a version holds no space", "2.3", head(first=b"GET / HTTP/ 1.1"), (400,)),
    Case("a path may have a query", "3.2.1", head(first=b"GET /a/b;c?d=/e?f|{} HTTP/1.1"), (200,)),
    Case("a fragment is not sent", "3.2", head(first=b"GET /a#b HTTP/1.1"), (400,)),
    Case(
        "a target in another script is refused",
        "3.2",
        head(first="GET /é HTTP/1.1".encode()),
        (400,),
    ),
    Case("overlong UTF-8 is refused", "3.2", head(first=b"GET /\xc0\xaf HTTP/1.1"), (400,)),
    Case("NUL in a target is refused", "3.2", head(first=b"GET /\0 HTTP/1.1"), (400,)),
    Case("a backslash is no slash", "3.2", head(first=b"GET /a\\b HTTP/1.1"), (400,)),
    Case("a relative path is refused", "3.2", head(first=b"GET a/b HTTP/1.1"), (400,)),
    Case(
        "an address is served", "3.2.2", head(first=b"GET http://example.com/a?b HTTP/1.1"), (200,)
    ),
    Case(
        "an address may have no path",
        "3.2.2",
        head(first=b"GET http://example.com HTTP/1.1"),
        (200,),
    ),
    Case(
        "an address has no user",
        "3.2.2",
        head(first=b"GET http://me@example.com/ HTTP/1.1"),
        (400,),
    ),
    Case("an address has a host", "3.2.2", head(first=b"GET http:///a HTTP/1.1"), (400,)),
    Case(
        "an address is of http", "3.2.2", head(first=b"GET file://example.com/a HTTP/1.1"), (400,)
    ),
    Case(
        "an address does not replace Host",
        "3.2",
        b"GET http://example.com/ HTTP/1.1\r\n\r\n",
        (400,),
    ),
    Case(
        "CONNECT names host and port",
        "3.2.3",
        head(first=b"CONNECT example.com:443 HTTP/1.1"),
        (200,),
    ),
    Case("CONNECT names a port", "3.2.3", head(first=b"CONNECT example.com HTTP/1.1"), (400,)),
    Case("CONNECT asks for no path", "3.2.3", head(first=b"CONNECT / HTTP/1.1"), (400,)),
    Case(
        "CONNECT has no body",
        "S9.3.6",
        head(b"Content-Length: 5", first=b"CONNECT a:443 HTTP/1.1"),
        (400,),
    ),
    Case(
        "TRACE has no body", "S9.3.8", head(b"Content-Length: 5", first=b"TRACE / HTTP/1.1"), (400,)
    ),
    Case("a request that goes on is waited for", "2.2", b"GET / HTTP/1.1\r\nHost: a\r\n\r", ()),
    Case(
        "host and port are for CONNECT only",
        "3.2.3",
        head(first=b"GET example.com:80 HTTP/1.1"),
        (400,),
    ),
    Case("OPTIONS may ask for the server", "3.2.4", head(first=b"OPTIONS * HTTP/1.1"), (200,)),
    Case("an asterisk is for OPTIONS only", "3.2.4", head(first=b"GET * HTTP/1.1"), (400,)),
    Case(
        "a request line that is too long is refused",
        "3",
        head(first=b"GET /" + b"a" * 9_000 + b" HTTP/1.1"),
        (414,),
    ),
    Case("one that does not end is refused as well", "3", b"GET /" + b"a" * 9_000, (414,)),
]

HOSTS = [
    Case("a host is there", "3.2", b"GET / HTTP/1.1\r\n\r\n", (400,)),
    Case("HTTP/1.0 needs no host", "3.2", b"GET / HTTP/1.0\r\n\r\n", (200,)),
    Case("a host is there once", "3.2", head(b"Host: other.example"), (400,)),
    Case("a host is there once even if it is the same", "3.2", head(b"host: example.com"), (400,)),
    Case(
        "HTTP/1.0 has no two hosts either", "3.2", head(b"Host: b", first=b"GET / HTTP/1.0"), (400,)
    ),
    Case("a host may have a port", "S7.2", host(b"example.com:8080"), (200,)),
    Case("a host may be an IPv4 address", "S7.2", host(b"127.0.0.1:80"), (200,)),
    Case("a host may be an IPv6 address", "S7.2", host(b"[::1]:80"), (200,)),
    Case("a host is not empty", "3.2", host(b""), (400,)),
    Case("a host is not a port alone", "3.2", host(b":80"), (400,)),
    Case("a host has no user", "3.2", host(b"me@example.com"), (400,)),
    Case("a host has no path", "3.2", host(b"example.com/a"), (400,)),
    Case("a host has no query", "3.2", host(b"example.com?a"), (400,)),
    Case("a host has no scheme", "3.2", host(b"http://example.com"), (400,)),
    Case("a host is no list", "3.2", host(b"a.example, b.example"), (400,)),
    Case("a host holds no space", "3.2", host(b"example .com"), (400,)),
    Case("a host holds no NUL", "3.2", host(b"example\0.com"), (400,)),
    Case("a port is a number", "3.2", host(b"example.com:http"), (400,)),
    Case("a port has no sign", "3.2", host(b"example.com:-80"), (400,)),
    Case("a port is below 65536", "3.2", host(b"example.com:65536"), (400,)),
    Case("a port is there once", "3.2", host(b"example.com:80:80"), (400,)),
    Case("IPv6 stands in brackets", "3.2", host(b"::1"), (400,)),
    Case("in brackets stands IPv6", "3.2", host(b"[1.2.3.4]"), (400,)),
]

FIELDS = [
    Case("white space around a value is no part of it", "5.1", head(b"X: \t a \t "), (200,)),
    Case("a value may be empty", "5.1", head(b"X:"), (200,)),
    Case("a value may hold other scripts", "S5.5", head("X: é".encode()), (200,)),
    Case("white space before the colon is refused", "5.1", head(b"X : a"), (400,)),
    Case("a tab before the colon is refused", "5.1", head(b"X\t: a"), (400,)),
    Case(
        "white space before the colon of a length is refused",
        "5.1",
        head(b"Content-Length : 5") + b"hello",
        (400,),
    ),
    Case(
        "white space before the colon of a coding is refused",
        "5.1",
        coding(b"Transfer-Encoding : chunked"),
        (400,),
    ),
    Case("a folded line is refused", "5.2", head(b"X: a", b" b"), (400,)),
    Case("a folded coding is refused", "5.2", coding(b"Transfer-Encoding:", b" chunked"), (400,)),
    Case("a header has a colon", "5", head(b"no colon here"), (400,)),
    Case("a name is not empty", "5", head(b": a"), (400,)),
    Case("a name is a token", "5", head(b"X[1]: a"), (400,)),
    Case("a name holds no space", "5", head(b"Bad Name: a"), (400,)),
    Case("a name holds no tab", "5", head(b"Bad\tName: a"), (400,)),
    Case("a name is ASCII", "5", head("Xé: a".encode()), (400,)),
    Case("a name holds no NUL", "5", head(b"X\0: a"), (400,)),
    Case("a value holds no NUL", "S5.5", head(b"X: a\0b"), (400,)),
    Case("a value holds no control character", "S5.5", head(b"X: a\x01b\x7f"), (400,)),
    Case(
        "too many headers are refused", "S5.4", head(*[b"X-%d: a" % n for n in range(101)]), (431,)
    ),
    Case("headers that are too large are refused", "S5.4", head(b"X: " + b"a" * 40_000), (431,)),
    Case("ones that do not end are refused as well", "S5.4", GET + b"X: " + b"a" * 40_000, (431,)),
]

LENGTHS = [
    Case("a body is as long as it says", "6.2", length(b"5"), (200, 200)),
    Case(
        "a body may be empty",
        "6.2",
        head(b"Content-Length: 0", first=b"POST / HTTP/1.1") + NEXT,
        (200, 200),
    ),
    Case(
        "without a length there is no body",
        "6.3",
        head(first=b"POST / HTTP/1.1") + NEXT,
        (200, 200),
    ),
    Case(
        "a GET may have a body", "S9.3.1", head(b"Content-Length: 5") + b"hello" + NEXT, (200, 200)
    ),
    Case("white space around a length is no part of it", "5.1", length(b"\t 5 "), (200, 200)),
    Case("a body that is not whole is no request", "6.3", length(b"500"), ()),
    Case("a length is a number", "6.3", length(b"five"), (400,)),
    Case("a length is not empty", "6.3", length(b""), (400,)),
    Case("a length has no sign", "6.3", length(b"+5"), (400,)),
    Case("a length is not negative", "6.3", length(b"-5"), (400,)),
    Case("a length is not minus nothing", "6.3", length(b"-0"), (400,)),
    Case("a length is not hexadecimal", "6.3", length(b"0x5"), (400,)),
    Case("a length is not octal", "6.3", length(b"0o5"), (400,)),
    Case("a length that looks octal is refused", "6.3", length(b"005"), (400,)),
    Case("a length holds no underscore", "6.3", length(b"0_5"), (400,)),
    Case("a length holds no space", "6.3", length(b"5 5"), (400,)),
    Case("a length is no fraction", "6.3", length(b"5.0"), (400,)),
    Case("a length is in ASCII", "6.3", length("\u0665".encode()), (400,)),
    Case("a length that no number holds is refused", "S8.6", length(b"9" * 30), (400,)),
    Case("a length beyond 64 bits is refused", "S8.6", length(b"18446744073709551621"), (400,)),
    Case("a length is no list", "S8.6", length(b"5, 5"), (400,)),
    Case("a length is no list of two", "S8.6", length(b"5, 6"), (400,)),
    Case("two lengths are refused", "6.3", length(b"5\r\nContent-Length: 6"), (400,)),
    Case("two equal lengths are refused", "6.3", length(b"5\r\nContent-Length: 5"), (400,)),
]

CODINGS = [
    Case("chunks are decoded", "7.1", coding(b"Transfer-Encoding: chunked"), (200, 200)),
    Case("a coding is not case-sensitive", "7", coding(b"TRANSFER-ENCODING: ChUnKeD"), (200, 200)),
    Case(
        "empty elements of a list are ignored",
        "S5.6.1",
        coding(b"Transfer-Encoding: , chunked,"),
        (200, 200),
    ),
    Case(
        "a coding and a length are refused",
        "6.3",
        coding(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (400,),
    ),
    Case(
        "a coding and a length are refused either way",
        "6.3",
        coding(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (400,),
    ),
    Case(
        "an unknown coding and a length are refused",
        "6.1",
        coding(b"Content-Length: 5", b"Transfer-Encoding: xchunked"),
        (400,),
    ),
    Case(
        "`identity` and a length are refused",
        "6.1",
        coding(b"Content-Length: 5", b"Transfer-Encoding: identity"),
        (400,),
    ),
    Case("HTTP/1.0 has no codings", "6.1", CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", (400,)),
    Case("an unknown coding is refused", "6.1", coding(b"Transfer-Encoding: nonsense"), (501,)),
    Case("`identity` is unknown", "7", coding(b"Transfer-Encoding: identity"), (501,)),
    Case(
        "another coding below the chunks is refused",
        "6.1",
        coding(b"Transfer-Encoding: gzip, chunked"),
        (501,),
    ),
    Case("chunks are the last coding", "6.3", coding(b"Transfer-Encoding: chunked, gzip"), (400,)),
    Case("chunks are there once", "6.1", coding(b"Transfer-Encoding: chunked, chunked"), (400,)),
    Case(
        "chunks in two lines are refused",
        "6.1",
        coding(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (400,),
    ),
    Case(
        "two codings in two lines are refused",
        "6.1",
        coding(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
        (400,),
    ),
    Case("a coding is not empty", "6.1", coding(b"Transfer-Encoding:"), (400,)),
    Case("a list of nothing is empty", "6.1", coding(b"Transfer-Encoding: ,"), (400,)),
    Case("chunks have no parameters", "7", coding(b"Transfer-Encoding: chunked;a=b"), (501,)),
    Case(
        "a vertical tab is no white space", "6.1", coding(b"Transfer-Encoding: \x0bchunked"), (400,)
    ),
    Case("a form feed is no white space", "6.1", coding(b"Transfer-Encoding: \x0cchunked"), (400,)),
    Case("NUL in a coding is refused", "6.1", coding(b"Transfer-Encoding: chunked\0"), (400,)),
    Case(
        "another name is another field", "5", head(b"Transfer_Encoding: chunked") + NEXT, (200, 200)
    ),
]

BAD_TRAILERS = (
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Host: a",
    b"Authorization: a",
    b"Content-Type: a",
)

CHUNKS = [
    Case(
        "several chunks are one body",
        "7.1",
        chunks(b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        (200, 200),
    ),
    Case("a body of no chunks is empty", "7.1", chunks(b"0\r\n\r\n"), (200, 200)),
    Case(
        "zeros before a size change nothing",
        "7.1",
        chunks(b"0005\r\nhello\r\n000\r\n\r\n"),
        (200, 200),
    ),
    Case(
        "extensions are ignored",
        "7.1.1",
        chunks(b'5;a;b=c ; d = "e;\\"f"\r\nhello\r\n0;g\r\n\r\n'),
        (200, 200),
    ),
    Case("a trailer is taken", "7.1.2", chunks(b"0\r\nX-Sum: abc\r\n\r\n"), (200, 200)),
    Case("a body without its last chunk is no request", "7.1", CHUNKED + b"5\r\nhello\r\n", ()),
    Case("a size is hexadecimal", "7.1", chunks(b"Z\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size is there", "7.1", chunks(b"\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size has no prefix", "7.1", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size has no sign", "7.1", chunks(b"+5\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size is not negative", "7.1", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size holds no underscore", "7.1", chunks(b"0_5\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size begins the line", "7.1", chunks(b" 5\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size ends the line", "7.1", chunks(b"5 \r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a size that no number holds is refused", "7.1", chunks(b"F" * 17 + b"\r\nhello"), (400,)),
    Case("a chunk is not shorter than it says", "7.1", chunks(b"7\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a chunk is not longer than it says", "7.1", chunks(b"4\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a chunk ends in CR LF", "7.1", chunks(b"5\r\nhello0\r\n\r\n"), (400,)),
    Case("a bare LF ends no chunk", "7.1", chunks(b"5\r\nhello\n0\r\n\r\n"), (400,)),
    Case("a bare LF ends no size", "7.1", chunks(b"5\nhello\r\n0\r\n\r\n"), (400,)),
    Case("a bare CR ends no size", "7.1", chunks(b"5\rhello\r\n0\r\n\r\n"), (400,)),
    Case("a bare LF ends no body", "7.1", chunks(b"0\r\n\n"), (400,)),
    Case("an extension has a name", "7.1.1", chunks(b"5;\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case(
        "an extension's name is a token", "7.1.1", chunks(b"5;a[]=b\r\nhello\r\n0\r\n\r\n"), (400,)
    ),
    Case("an extension holds no NUL", "7.1.1", chunks(b"5;a=\0\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("an extension holds no bare CR", "7.1.1", chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case("an extension holds no bare LF", "7.1.1", chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), (400,)),
    Case(
        "an extension that is too large is refused",
        "7.1.1",
        chunks(b"5;a=" + b"b" * 70_000),
        (400,),
    ),
    Case(
        "many extensions are too large together",
        "7.1.1",
        chunks((b"1;a=" + b"b" * 200 + b"\r\nx\r\n") * 50),
        (400,),
    ),
    *(
        Case(
            f"a trailer has no {line.decode()}",
            "S6.5.1",
            chunks(b"0\r\n" + line + b"\r\n\r\n"),
            (400,),
        )
        for line in BAD_TRAILERS
    ),
    Case("a trailer line is a field", "7.1.2", chunks(b"0\r\nno colon\r\n\r\n"), (400,)),
    Case("a trailer line is not folded", "7.1.2", chunks(b"0\r\nX: a\r\n b\r\n\r\n"), (400,)),
    Case(
        "a trailer that is too large is refused",
        "7.1.2",
        chunks(b"0\r\nX: " + b"a" * 10_000),
        (400,),
    ),
    Case(
        "a trailer of too many lines is refused",
        "7.1.2",
        chunks(b"0\r\n" + b"X: a\r\n" * 101 + b"\r\n"),
        (431,),
    ),
]

CASES = [*LINES, *REQUEST_LINES, *HOSTS, *FIELDS, *LENGTHS, *CODINGS, *CHUNKS]
