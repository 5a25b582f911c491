"""What an upstream sees is what we say, whatever a client wrote."""

import pytest

from loadpath.gateway.passing.clients import Told
from loadpath.gateway.passing.fields import FieldRules, client_fields, upstream_fields
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.http import RequestHead, parse_request_head, parse_response_head

DIRECT = Told("192.0.2.7", "https", b"", believed=False)


def head(*fields: str) -> RequestHead:
    """Return the head of a request."""
    text = "\r\n".join(["GET / HTTP/1.1", "Host: shop.example.com", *fields, ""]).encode()
    return parse_request_head(text, 0, len(text))


def seen(told: Told, neighbour: str, *fields: str, continued: bool = True) -> dict[bytes, bytes]:
    """Return the fields that an upstream sees."""
    found = upstream_fields(
        head(*fields),
        told,
        neighbour=neighbour,
        request_id="r1",
        trace=b"00-t",
        continued=continued,
    )
    names = [name.lower() for name, _ in found]
    assert len(set(names)) == len(names)
    return {name.lower(): value for name, value in found}


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For", "X-Real-IP", "X_Real_IP", "x-forwarded-proto", "Forwarded",
        "traceparent", "X-Request-Id", "X_Forwarded_For", "Expect", "X-Forwarded-Host",
    ],
)  # fmt: skip
def test_a_client_cannot_write_our_fields(name: str) -> None:
    """Nor in the spelling that servers which speak CGI take for them."""
    found = seen(DIRECT, "192.0.2.7", f"{name}: 6.6.6.6")
    assert b"6.6.6.6" not in b" ".join(found.values())
    assert found[b"x-real-ip"] == found[b"x-forwarded-for"] == b"192.0.2.7"
    assert found[b"x-forwarded-proto"] == b"https"
    assert found[b"x-forwarded-host"] == b"shop.example.com"
    assert found[b"forwarded"] == b"for=192.0.2.7;proto=https;host=shop.example.com"


def test_a_trusted_proxy_is_continued() -> None:
    """The client is the one that it tells, and it is put behind."""
    told = Told("1.2.3.4", "https", b"", believed=True)
    found = seen(told, "10.0.0.1", "X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4")
    assert found[b"x-real-ip"] == b"1.2.3.4"
    assert found[b"x-forwarded-for"] == b"1.2.3.4, 10.0.0.1"
    assert found[b"forwarded"] == b"for=1.2.3.4, for=10.0.0.1"


def test_fields_that_proxies_write_are_taken_from_none_else() -> None:
    """A client could make an application build links to another prefix or port."""
    made_up = ("X-Forwarded-Prefix: /evil", "X_Forwarded_Port: 1", "X-Forwarded-Server: e")
    assert not any(b"evil" in each for each in seen(DIRECT, "192.0.2.7", *made_up).values())
    told = Told("1.2.3.4", "https", b"", believed=True)
    assert seen(told, "10.0.0.1", *made_up)[b"x-forwarded-prefix"] == b"/evil"


def test_a_list_begins_with_the_client_that_forwarded_names() -> None:
    """Also where the proxy wrote no X-Forwarded-For; nobody stands in it twice."""
    told = Told("1.2.3.4", "https", b"", believed=True)
    assert seen(told, "10.0.0.1", "Forwarded: for=1.2.3.4")[b"x-forwarded-for"] == (
        b"1.2.3.4, 10.0.0.1"
    )
    alone = Told("10.0.0.1", "http", b"", believed=True)
    assert seen(alone, "10.0.0.1")[b"x-forwarded-for"] == b"10.0.0.1"


def test_the_state_of_another_trace_ends_here() -> None:
    """W3C Trace Context 4.2: whoever begins a trace deletes `tracestate`."""
    assert b"tracestate" not in seen(DIRECT, "a", "TraceState: a=b", continued=False)
    assert seen(DIRECT, "a", "tracestate: a=b", continued=True)[b"tracestate"] == b"a=b"


def test_other_fields_pass_and_those_of_the_connection_end() -> None:
    """In the case that they came in."""
    found = seen(DIRECT, "a", "Accept: x", "Connection: X-Own", "X-Own: y", "TE: trailers")
    assert found[b"accept"] == b"x"
    for gone in (b"connection", b"x-own", b"te", b"host"):
        assert gone not in found


def test_answers_lose_their_framing() -> None:
    """Whoever writes the answer adds its own."""
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Own\r\nX-Own: a\r\nX: b\r\n"
    found = client_fields(parse_response_head(text, 0, len(text)))
    assert found == [(b"X", b"b")]


def test_an_answer_has_one_request_id() -> None:
    """The gateway writes it; that of an upstream which sends it back would be a second one."""
    text = b"HTTP/1.1 200 OK\r\nx-request-id: theirs\r\nX: b\r\n"
    assert client_fields(parse_response_head(text, 0, len(text))) == [(b"X", b"b")]


def test_rules_set_and_remove() -> None:
    """Whatever case a field is in."""
    rules = FieldRules(HeaderRules(set={"X-A": "1"}, remove=("X-B",)))
    assert rules.apply([(b"x-a", b"0"), (b"x-b", b"0"), (b"X-C", b"0")]) == [
        (b"X-C", b"0"),
        (b"X-A", b"1"),
    ]
    assert not FieldRules(HeaderRules())
