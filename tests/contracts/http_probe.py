"""The rules of Http11Probe that a server MUST keep, by its ids, and the case that shows each.

Most are cases of `http_requests`; the streams here are those that its table lacked: requests that
would smuggle another one, and what must be served although it looks strange. `NOT_SYNTAX` are the
rules about what an answer says, which no parser decides: whoever answers keeps them.

Source: Http11Probe (github.com/MDA2AV/Http11Probe), suites Compliance, Smuggling, MalformedInput
and Normalization: every rule that is marked as MUST, or not marked as less.
"""

from tests.contracts.http_requests import NEXT, Case, chunks, coding, head

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n"
UPGRADE = (
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """Return a POST with these lines and this body."""
    return head(*lines, first=b"POST / HTTP/1.1") + body


def behind(*lines: bytes) -> bytes:
    """Return a request whose lines may end its body before the request that follows it."""
    return post(*lines, body=b"0\r\n\r\n" + SMUGGLED)


CASES = [
    Case("COMP-UPGRADE-POST", "S7.8", post(*UPGRADE), (200,)),
    Case("COMP-UPGRADE-MISSING-CONN", "S7.8", head(UPGRADE[0], *UPGRADE[2:]), (200,)),
    Case("COMP-UPGRADE-UNKNOWN", "S7.8", head(b"Upgrade: none", b"Connection: Upgrade"), (200,)),
    Case("COMP-UPGRADE-INVALID-VER", "S7.8", head(*UPGRADE[:3], b"X-Version: 99"), (200,)),
    Case("COMP-UPGRADE-HTTP10", "S7.8", head(*UPGRADE, first=b"GET / HTTP/1.0"), (200,)),
    Case(
        "COMP-RANGE-POST",
        "S14.2",
        post(b"Range: bytes=0-1", b"Content-Length: 5", body=b"hello") + NEXT,
        (200, 200),
    ),
    Case("COMP-CONNECTION-CLOSE", "9.6", head(b"Connection: close"), (200,)),
    Case("COMP-HEAD-NO-BODY", "S9.3.2", head(first=b"HEAD / HTTP/1.1") + NEXT, (200, 200)),
    Case(
        "COMP-NO-1XX-HTTP10",
        "S10.1.1",
        head(b"Expect: 100-continue", b"Content-Length: 5", first=b"POST / HTTP/1.0") + b"hello",
        (200,),
    ),
    Case("COMP-POST-CL-UNDERSEND", "6.3", post(b"Content-Length: 10", body=b"hello"), ()),
    Case("MAL-POST-CL-HUGE-NO-BODY", "6.3", post(b"Content-Length: 999999999"), ()),
    Case("COMP-CHUNKED-HEX-UPPERCASE", "7.1", chunks(b"A\r\n0123456789\r\n0\r\n\r\n"), (200, 200)),
    Case(
        "SMUG-TE-TRAILING-SPACE",
        "5.1",
        coding(b"Transfer-Encoding: chunked "),  # white space around a value is no part of it
        (200, 200),
    ),
    Case("SMUG-TE-TAB-BEFORE-VALUE", "5.1", coding(b"Transfer-Encoding:\tchunked"), (200, 200)),
    Case(
        "SMUG-TE-DUPLICATE-HEADERS",
        "6.3",
        coding(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Content-Length: 5"),
        (400,),
    ),
    Case("SMUG-CL-COMMA-TRIPLE", "S8.6", post(b"Content-Length: 5,5,5", body=b"hello"), (400,)),
    Case(
        "SMUG-EXPECT-100-CL",
        "S10.1.1",
        post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello") + NEXT,
        (200, 200),
    ),
    Case(
        "SMUG-HEAD-CL-BODY",
        "S9.3.2",
        head(b"Content-Length: 5", first=b"HEAD / HTTP/1.1") + b"hello" + NEXT,
        (200, 200),
    ),
    Case(
        "SMUG-OPTIONS-CL-BODY",
        "S9.3.7",
        head(b"Content-Length: 5", first=b"OPTIONS / HTTP/1.1") + b"hello" + NEXT,
        (200, 200),
    ),
    Case(
        "SMUG-ABSOLUTE-URI-HOST-MISMATCH",
        "3.2.2",
        b"GET http://other.example/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
        (200,),
    ),
    Case(
        "SMUG-OPTIONS-TE-OBS-FOLD",
        "5.2",
        head(b"Transfer-Encoding:", b" chunked", b"Content-Length: 5", first=b"OPTIONS / HTTP/1.1"),
        (400,),
    ),
    Case("SMUG-CHUNK-INVALID-SIZE-DESYNC", "7.1", chunks(b"+0\r\n\r\nX"), (400,)),
    Case(
        "SMUG-CLTE-SMUGGLED-GET",
        "6.3",
        behind(b"Content-Length: 50", b"Transfer-Encoding: chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-CL-PLUS",
        "6.3",
        behind(b"Content-Length: +50", b"Transfer-Encoding: chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC",
        "6.3",
        behind(b"Content-Length: 50x", b"Transfer-Encoding: chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD",
        "5.2",
        behind(b"Content-Length: 50", b"Transfer-Encoding:", b" chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE",
        "6.3",
        behind(b"Content-Length: 50", b"Transfer-Encoding: chunked "),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA",
        "6.3",
        behind(b"Content-Length: 50", b"Transfer-Encoding: , chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH",
        "6.3",
        behind(b"Content-Length: 50", b"Transfer-Encoding: Chunked"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-SMUGGLED-HEAD",
        "6.3",
        behind(b"Content-Length: 51", b"Transfer-Encoding: chunked").replace(
            b"GET /smuggled", b"HEAD /smuggled"
        ),
        (400,),
    ),
    Case(
        "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET",
        "6.3",
        behind(
            b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Content-Length: 50"
        ),
        (400,),
    ),
    Case(
        "SMUG-TECL-SMUGGLED-GET",
        "6.3",
        post(
            b"Transfer-Encoding: chunked",
            b"Content-Length: 4",
            body=b"2d\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
        ),
        (400,),
    ),
    Case(
        "SMUG-DUPLICATE-CL-SMUGGLED-GET",
        "6.3",
        post(b"Content-Length: 4", b"Content-Length: 50", body=b"PING" + SMUGGLED),
        (400,),
    ),
    Case(
        "SMUG-TECL-DESYNC",
        "6.3",
        post(b"Transfer-Encoding: chunked", b"Content-Length: 30", body=b"0\r\n\r\nX"),
        (400,),
    ),
    Case(
        "SMUG-CLTE-DESYNC",
        "6.3",
        post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nX"),
        (400,),
    ),
]

SHOWN_BY = {
    "RFC9112-5.1-OBS-FOLD": "a folded line is refused",
    "RFC9110-5.6.2-SP-BEFORE-COLON": "white space before the colon is refused",
    "RFC9112-7.1-MISSING-HOST": "a host is there",
    "RFC9112-5-EMPTY-HEADER-NAME": "a name is not empty",
    "RFC9112-3-CR-ONLY-LINE-ENDING": "a bare CR ends no line",
    "RFC9112-3-MISSING-TARGET": "a target is there",
    "RFC9112-5-INVALID-HEADER-NAME": "a name is a token",
    "RFC9112-5-HEADER-NO-COLON": "a header has a colon",
    "RFC9110-5.4-DUPLICATE-HOST": "a host is there once",
    "RFC9112-6.1-CL-NON-NUMERIC": "a length is a number",
    "RFC9112-6.1-CL-PLUS-SIGN": "a length has no sign",
    "COMP-WHITESPACE-BEFORE-HEADERS": "white space before the first header is refused",
    "COMP-DUPLICATE-HOST-SAME": "a host is there once even if it is the same",
    "COMP-HOST-WITH-USERINFO": "a host has no user",
    "COMP-HOST-WITH-PATH": "a host has no path",
    "COMP-ASTERISK-WITH-GET": "an asterisk is for OPTIONS only",
    "COMP-OPTIONS-STAR": "OPTIONS may ask for the server",
    "COMP-UNKNOWN-TE-501": "an unknown coding is refused",
    "COMP-POST-CL-BODY": "a body is as long as it says",
    "COMP-POST-CL-ZERO": "a body may be empty",
    "COMP-POST-NO-CL-NO-TE": "without a length there is no body",
    "COMP-CHUNKED-BODY": "chunks are decoded",
    "COMP-CHUNKED-MULTI": "several chunks are one body",
    "COMP-CHUNKED-EMPTY": "a body of no chunks is empty",
    "COMP-CHUNKED-NO-FINAL": "a body without its last chunk is no request",
    "COMP-CHUNKED-EXTENSION": "extensions are ignored",
    "COMP-HOST-EMPTY-VALUE": "a host is not empty",
    "COMP-VERSION-MISSING-MINOR": "a version has a minor one",
    "COMP-VERSION-LEADING-ZEROS": "a version has two digits",
    "COMP-VERSION-WHITESPACE": "a version holds no space",
    "COMP-CHUNKED-TRAILER-VALID": "a trailer is taken",
    "COMP-VERSION-CASE": "a version is in capitals",
    "COMP-SPACE-IN-TARGET": "a space in the target is refused",
    "SMUG-DUPLICATE-CL": "two lengths are refused",
    "SMUG-TE-XCHUNKED": "an unknown coding and a length are refused",
    "SMUG-TE-SP-BEFORE-COLON": "white space before the colon of a coding is refused",
    "SMUG-CL-NEGATIVE": "a length is not negative",
    "SMUG-CL-COMMA-DIFFERENT": "a length is no list of two",
    "SMUG-TE-NOT-FINAL-CHUNKED": "chunks are the last coding",
    "SMUG-TE-HTTP10": "HTTP/1.0 has no codings",
    "SMUG-CHUNK-BARE-SEMICOLON": "an extension has a name",
    "SMUG-CHUNK-EXT-INVALID-TOKEN": "an extension's name is a token",
    "SMUG-BARE-CR-HEADER-VALUE": "a bare CR in a value is refused",
    "SMUG-CL-OCTAL": "a length is not octal",
    "SMUG-CHUNK-UNDERSCORE": "a size holds no underscore",
    "SMUG-TE-EMPTY-VALUE": "a coding is not empty",
    "SMUG-CHUNK-HEX-PREFIX": "a size has no prefix",
    "SMUG-CHUNK-SIZE-PLUS": "a size has no sign",
    "SMUG-CHUNK-SIZE-TRAILING-OWS": "a size ends the line",
    "SMUG-CL-HEX-PREFIX": "a length is not hexadecimal",
    "SMUG-CL-INTERNAL-SPACE": "a length holds no space",
    "SMUG-CHUNK-LEADING-SP": "a size begins the line",
    "SMUG-CHUNK-MISSING-TRAILING-CRLF": "a chunk ends in CR LF",
    "SMUG-CHUNK-SPILL": "a chunk is not longer than it says",
    "SMUG-CHUNK-EXT-CTRL": "an extension holds no NUL",
    "SMUG-CHUNK-EXT-CR": "an extension holds no bare CR",
    "SMUG-TE-VTAB": "a vertical tab is no white space",
    "SMUG-TE-FORMFEED": "a form feed is no white space",
    "SMUG-TE-NULL": "NUL in a coding is refused",
    "SMUG-TE-IDENTITY": "`identity` and a length are refused",
    "SMUG-CHUNK-NEGATIVE": "a size is not negative",
    "SMUG-TRANSFER_ENCODING": "another name is another field",
    "SMUG-CL-COMMA-SAME": "a length is no list",
    "SMUG-CHUNKED-WITH-PARAMS": "chunks have no parameters",
    "SMUG-TRAILER-CL": "a trailer has no Content-Length: 5",
    "SMUG-TRAILER-TE": "a trailer has no Transfer-Encoding: chunked",
    "SMUG-TRAILER-HOST": "a trailer has no Host: a",
    "SMUG-TRAILER-AUTH": "a trailer has no Authorization: a",
    "SMUG-TRAILER-CONTENT-TYPE": "a trailer has no Content-Type: a",
    "SMUG-CL-UNDERSCORE": "a length holds no underscore",
    "SMUG-CL-NEGATIVE-ZERO": "a length is not minus nothing",
    "SMUG-TE-OBS-FOLD": "a folded coding is refused",
    "SMUG-MULTIPLE-HOST-COMMA": "a host is no list",
    "SMUG-CHUNK-BARE-CR-TERM": "a bare CR ends no size",
    "SMUG-CLTE-CONN-CLOSE": "a coding and a length are refused",
    "SMUG-TECL-CONN-CLOSE": "a coding and a length are refused either way",
    "MAL-NUL-IN-URL": "NUL in a target is refused",
    "MAL-CONTROL-CHARS-HEADER": "a value holds no control character",
    "MAL-NON-ASCII-HEADER-NAME": "a name is ASCII",
    "MAL-NON-ASCII-URL": "a target in another script is refused",
    "MAL-CL-OVERFLOW": "a length that no number holds is refused",
    "MAL-NUL-IN-HEADER-VALUE": "a value holds no NUL",
    "MAL-CHUNK-SIZE-OVERFLOW": "a size that no number holds is refused",
    "MAL-CL-EMPTY": "a length is not empty",
    "MAL-URL-OVERLONG-UTF8": "overlong UTF-8 is refused",
    "NORM-SP-BEFORE-COLON-CL": "white space before the colon of a length is refused",
    "NORM-TAB-IN-NAME": "a name holds no tab",
}

NOT_SYNTAX = {
    "COMP-405-ALLOW": "the methods of a resource are known to whoever serves it",
    "COMP-DATE-HEADER": "an origin server dates its answers",
    "COMP-NO-CL-IN-204": "whoever answers with 204 gives no length",
}

MUST = 125
"""How many rules of the suite are marked as MUST, or not marked as less."""
