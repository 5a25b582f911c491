"""Pages of other origins."""

import pytest

from loadpath.gateway.exchange import AnswerHead, Reply
from loadpath.gateway.filters.cors import CorsFilter, add_vary
from loadpath.gateway.settings.filters import Cors
from tests.unit.gateway.filters.exchanges import answered, asked, field

ORIGIN = "https://app.example"
NAMED = Cors(
    origins=(ORIGIN, "https://b.example"),
    methods=("GET", "PUT"),
    headers=("authorization",),
    expose=("x-total",),
    credentials=True,
    max_age=60,
)


def preflight(cors: Cors, origin: str) -> AnswerHead:
    """Return the answer to a preflight."""
    filter_ = CorsFilter(cors)
    exchange = asked(
        method="OPTIONS", fields={"Origin": origin, "Access-Control-Request-Method": "PUT"}
    )
    reply = filter_.enter(exchange)
    assert isinstance(reply, Reply)
    assert reply.head.status == 204
    filter_.leave(exchange, reply.head)
    return reply.head


def test_a_preflight_is_answered_with_what_is_allowed() -> None:
    """The gateway answers, and says methods, fields, cookies and for how long."""
    head = preflight(NAMED, ORIGIN)
    assert field(head, "access-control-allow-origin") == ORIGIN
    assert field(head, "access-control-allow-methods") == "GET, PUT"
    assert field(head, "access-control-allow-headers") == "authorization"
    assert field(head, "access-control-allow-credentials") == "true"
    assert field(head, "access-control-max-age") == "60"
    assert field(head, "access-control-expose-headers") is None
    assert field(head, "vary") == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.evil.example",
        "https://evilapp.example",
        "http://app.example",
        "https://app.example:8443",
        "HTTPS://APP.EXAMPLE",
        "null",
        "",
    ],
)
def test_an_origin_that_only_looks_like_one_gets_nothing(origin: str) -> None:
    """Origins are compared as they are: no prefix, suffix, port or case is near enough."""
    head = preflight(NAMED, origin)
    assert field(head, "access-control-allow-origin") is None
    assert field(head, "access-control-allow-credentials") is None
    assert field(head, "vary") == "Origin"


def test_an_upstream_has_no_say() -> None:
    """What it says about CORS is replaced, so that a browser sees one answer."""
    filter_ = CorsFilter(NAMED)
    head = answered(fields={"Access-Control-Allow-Origin": "*", "Vary": "Accept"})
    filter_.leave(asked(fields={"Origin": ORIGIN}), head)
    assert field(head, "access-control-allow-origin") == ORIGIN
    assert field(head, "access-control-expose-headers") == "x-total"
    assert field(head, "access-control-max-age") is None
    assert field(head, "vary") == "Accept, Origin"


def test_any_origin_gets_a_star_and_no_cookies() -> None:
    """The answer for `*` is the same for all, so it does not vary."""
    head = preflight(Cors(origins=("*",)), "https://anyone.example")
    assert field(head, "access-control-allow-origin") == "*"
    assert field(head, "access-control-allow-credentials") is None
    assert field(head, "vary") is None


def test_what_is_no_preflight_goes_on() -> None:
    """OPTIONS without the question, and requests of the page itself, pass."""
    filter_ = CorsFilter(NAMED)
    assert filter_.enter(asked(method="OPTIONS", fields={"Origin": ORIGIN})) is None
    assert filter_.enter(asked(fields={"Origin": ORIGIN})) is None
    head = answered()
    filter_.leave(asked(), head)
    assert field(head, "access-control-allow-origin") is None


def test_vary_names_a_field_once() -> None:
    """It is added to what is there, in any case, and `*` says it all."""
    for before, after in (("", "Origin"), ("origin", "origin"), ("A", "A, Origin"), ("*", "*")):
        fields = [(b"vary", before.encode())] if before else []
        add_vary(fields, b"Origin")
        assert fields[0][1].decode() == after
