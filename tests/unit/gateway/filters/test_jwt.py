"""Who sent a request, by its bearer token: what is remembered of good ones, and for how long."""

import json
from collections.abc import Awaitable
from typing import Any

import pytest

from loadpath.gateway.exchange import Principal
from loadpath.gateway.filters import jwt
from loadpath.gateway.filters.errors import NotAuthenticatedError
from loadpath.gateway.filters.jwt import Issuer
from loadpath.gateway.filters.keys import shared_secret
from loadpath.gateway.settings.filters import JwtSettings
from loadpath.testing import FakeClock
from tests.unit.gateway.filters.exchanges import asked
from tests.unit.gateway.filters.tokenkit import NOW, SECRET, signed

SETTINGS = JwtSettings(algorithms=("HS256",), secret_file="s")
KEYS = shared_secret(SECRET, ["HS256"])


def issuer(clock: FakeClock | None = None, **options: Any) -> Issuer:
    """Return an issuer with a shared secret."""
    return Issuer("main", SETTINGS, KEYS, clock=clock or FakeClock(time=NOW), **options)


def token(name: str = "ann", **claims: Any) -> str:
    """Return a good token."""
    return signed(json.dumps({"sub": name, "exp": NOW + 60, **claims}).encode())


def find(known: Issuer, written: str) -> Principal | Awaitable[Principal] | None:
    """Return who sent a request with this `Authorization`."""
    return known.find(asked(fields={"Authorization": written}))


def name(known: Issuer, given: str) -> str:
    """Return whose a token is."""
    found = find(known, f"Bearer {given}")
    assert isinstance(found, Principal)
    return found.name


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_token_stands_after_its_scheme(scheme: str) -> None:
    """The name of the scheme may be written in any case."""
    found = find(issuer(), f"{scheme} {token()}")
    assert isinstance(found, Principal)
    assert found.name == "ann"


def test_other_ways_to_say_who_one_is_are_not_its_business() -> None:
    """Basic credentials, nothing, and a token in the query or a cookie carry no token."""
    known = issuer()
    assert find(known, "Basic YTpi") is None
    assert find(known, "") is None
    assert find(known, "Bearer ") is None
    exchange = asked(f"/?access_token={token()}", fields={"Cookie": f"token={token()}"})
    assert known.find(exchange) is None


@pytest.mark.parametrize("written", ["Bearer a b", "Bearer x", "Bearer ä.ö.ü"])
def test_what_is_no_token_is_refused(written: str) -> None:
    """Two words, no parts, no ASCII."""
    with pytest.raises(NotAuthenticatedError):
        find(issuer(), written)


def test_two_tokens_are_none() -> None:
    """Nobody can tell which one is meant."""
    with pytest.raises(NotAuthenticatedError):
        find(issuer(), f"Bearer {token('ann')}, Bearer {token('eve')}")


def test_a_good_token_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature costs once; the answer is the same."""
    checked: list[str] = []
    monkeypatch.setattr(jwt, "check", _counting(checked))
    known = issuer()
    for given in (token("ann"), token("bob"), token("ann")):
        name(known, given)
    assert len(checked) == 2


def _counting(checked: list[str]) -> Any:
    check = jwt.check

    def counted(token: str, *arguments: Any, **options: Any) -> Any:
        checked.append(token)
        return check(token, *arguments, **options)

    return counted


def test_a_remembered_token_ends_when_it_says() -> None:
    """No memory makes a token hold longer, nor one that does not hold yet."""
    clock = FakeClock(time=NOW)
    known = issuer(clock)
    given, later = token(), token("bob", nbf=NOW + 30)
    assert name(known, given) == "ann"
    with pytest.raises(NotAuthenticatedError, match="not valid yet"):
        name(known, later)
    clock.advance(59.9)
    assert name(known, given) == "ann"
    assert name(known, later) == "bob"
    clock.advance(0.1)
    for each in (given, later):
        with pytest.raises(NotAuthenticatedError, match="expired"):
            name(known, each)
    assert not known._good
    assert known._size == 0


def test_a_clock_that_is_set_back_makes_no_token_hold_again_wrongly() -> None:
    """Time is looked at for every request, so a token holds exactly when the clock says so."""
    clock = FakeClock(time=NOW)
    known = issuer(clock)
    given = token(nbf=NOW - 5)
    assert name(known, given) == "ann"
    clock.set_time(NOW - 6)
    with pytest.raises(NotAuthenticatedError, match="not valid yet"):
        name(known, given)
    clock.set_time(NOW)
    assert name(known, given) == "ann"


def test_few_are_remembered() -> None:
    """The one that was used longest ago is forgotten, and is still good."""
    known = issuer(remembered=2)
    given = [token(str(each)) for each in range(3)]
    for each in (0, 1, 0, 2):
        name(known, given[each])
    assert list(known._good) == [given[0], given[2]]
    assert known._size == len(given[0]) + len(given[2])
    assert name(known, given[1]) == "1"


def test_large_ones_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded in characters, too."""
    monkeypatch.setattr(jwt, "REMEMBERED_SIZE", 10_000)
    known = issuer()
    for each in range(20):
        name(known, token(str(each), more="x" * 2_000))
        assert known._size == sum(map(len, known._good)) <= 10_000


def test_bad_ones_are_not_remembered() -> None:
    """Anybody can make them, as many as one likes."""
    known = issuer()
    for each in range(10):
        with pytest.raises(NotAuthenticatedError):
            name(known, token(str(each))[:-3])
    assert not known._good
