"""Who may use a route."""

from collections.abc import Awaitable
from hashlib import sha256
from typing import Any

import pytest

from loadpath.gateway.exchange import Exchange, Principal, Reply
from loadpath.gateway.filters.apikeys import ApiKeys
from loadpath.gateway.filters.authorise import AuthoriseFilter
from loadpath.gateway.filters.errors import KeysUnknownError, NotAuthenticatedError
from loadpath.gateway.settings.filters import ApiKey, ApiKeysSettings, Authorisation
from tests.unit.gateway.filters.exchanges import asked

ANN = Principal(
    name="ann",
    by="main",
    scopes=frozenset({"read"}),
    roles=frozenset({"editor"}),
    claims={"tenant": "t1", "groups": ["g1", "g2"], "vip": True, "level": 1},
)


class Told:
    """Say what a test wants to be said."""

    challenge = 'Bearer realm="gateway"'

    def __init__(self, answer: Principal | Exception | None, *, later: bool = False) -> None:
        self._answer = answer
        self._later = later

    def find(self, exchange: Exchange) -> Principal | Awaitable[Principal] | None:
        """Return or raise it, at once or later."""
        del exchange
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is not None and self._later:
            return self._give(self._answer)
        return self._answer

    async def _give(self, answer: Principal) -> Principal:
        return answer


async def enter(*ways: Told | ApiKeys, exchange: Exchange | None = None, **rules: Any) -> Any:
    """Return what a route with these rules answers."""
    filter_ = AuthoriseFilter(Authorisation(by=("main",), **rules), ways)
    return await filter_.enter(exchange or asked())


def challenges(reply: Reply) -> list[str]:
    """Return what is asked for."""
    return [value.decode() for name, value in reply.head.fields if name == b"WWW-Authenticate"]


@pytest.mark.parametrize("later", [False, True])
async def test_who_may_is_let_through_by_name(*, later: bool) -> None:
    """The principal is known from then on."""
    exchange = asked()
    assert await enter(Told(ANN, later=later), exchange=exchange, scopes=("read",)) is None
    assert exchange.principal is ANN


async def test_who_says_nothing_is_asked() -> None:
    """401, with every way to say it, each once, and no error of a token."""
    keys = ApiKeys(ApiKeysSettings())
    reply = await enter(Told(None), Told(None), keys)
    assert reply.head.status == 401
    assert challenges(reply) == [
        'Bearer realm="gateway"',
        'ApiKey realm="gateway", header="X-API-Key"',
    ]


async def test_a_bad_token_is_told_so() -> None:
    """401 with RFC 6750's error, and why."""
    reply = await enter(Told(NotAuthenticatedError("the token has expired")))
    assert reply.head.status == 401
    assert challenges(reply) == ['Bearer realm="gateway", error="invalid_token"']
    assert b"expired" in reply.body


async def test_any_one_way_is_enough() -> None:
    """A token that one issuer does not know may be another's."""
    assert await enter(Told(NotAuthenticatedError("not mine")), Told(ANN)) is None


async def test_an_issuer_that_cannot_be_asked_is_no_fault_of_the_client() -> None:
    """503 with a wait, not 401: the token may be good."""
    reply = await enter(Told(KeysUnknownError("no keys yet")))
    assert reply.head.status == 503
    assert (b"Retry-After", b"1") in reply.head.fields


async def test_an_issuer_that_cannot_be_asked_stands_in_nobodys_way() -> None:
    """Who is known in another way passes; a refusal elsewhere does not make it a 401."""
    assert await enter(Told(KeysUnknownError("no keys yet")), Told(ANN)) is None
    refused = Told(NotAuthenticatedError("not mine"))
    for ways in ((Told(KeysUnknownError("no keys yet")), refused), (refused, refused)):
        reply = await enter(*ways)
        assert reply.head.status == (503 if ways[0] is not refused else 401)


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ({"scopes": ("read",)}, True),
        ({"scopes": ("read", "write")}, False),
        ({"roles": ("admin", "editor")}, True),
        ({"roles": ("admin",)}, False),
        ({"claims": {"tenant": "t1"}}, True),
        ({"claims": {"tenant": "t2"}}, False),
        ({"claims": {"groups": "g2"}}, True),
        ({"claims": {"groups": "g"}}, False),
        ({"claims": {"vip": True}}, True),
        ({"claims": {"vip": 1}}, False),
        ({"claims": {"level": True}}, False),
        ({"claims": {"missing": "x"}}, False),
        ({"scopes": ("read",), "roles": ("editor",), "claims": {"tenant": "t2"}}, False),
    ],
)
async def test_every_condition_must_hold(rules: dict[str, Any], *, may: bool) -> None:
    """All scopes, one role, every claim; who is known and may not gets 403."""
    reply = await enter(Told(ANN), **rules)
    assert (reply is None) is may
    if reply is not None:
        assert reply.head.status == 403
        assert all("insufficient_scope" in each for each in challenges(reply))


async def test_an_api_key_is_known_by_its_hash() -> None:
    """The header carries the key, the settings its hash; another key is refused."""
    known = ApiKey(name="shop", sha256=sha256(b"k1").hexdigest(), scopes=("read",))
    keys = ApiKeys(ApiKeysSettings(keys=(known,)))
    exchange = asked(fields={"x-api-key": "k1"})
    assert await enter(keys, exchange=exchange, scopes=("read",)) is None
    assert exchange.principal is not None
    assert (exchange.principal.name, exchange.principal.by) == ("shop", "api_keys")
    for wrong in ("k2", "", known.sha256, "k1, k1", "k" * 5_000):
        reply = await enter(keys, exchange=asked(fields={"X-API-Key": wrong}))
        assert reply.head.status == 401


async def test_a_key_elsewhere_is_no_key() -> None:
    """A query or a cookie is no place for it."""
    known = ApiKey(name="shop", sha256=sha256(b"k1").hexdigest())
    keys = ApiKeys(ApiKeysSettings(keys=(known,)))
    exchange = asked("/?x-api-key=k1", fields={"Cookie": "X-API-Key=k1"})
    reply = await enter(keys, exchange=exchange)
    assert reply.head.status == 401
