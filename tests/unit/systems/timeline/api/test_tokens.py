"""Tokens say who asks until they expire; nobody else can make one."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from loadpath.systems.timeline.api.tokens import TokenError, Tokens
from loadpath.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@given(user_id=st.integers(1, (1 << 31) - 1))
def test_a_token_says_who_its_bearer_is(user_id: int) -> None:
    """Another process with the same secret reads the user id back."""
    token = Tokens(b"secret").issue(user_id)
    assert Tokens(b"secret").verify(token) == user_id


def test_a_token_expires(clock: FakeClock) -> None:
    """At the end of its lifetime a token is refused, also when it was verified before."""
    tokens = Tokens(b"secret", clock=clock)
    token = tokens.issue(7, lifetime=60.0)
    clock.advance(59.9)
    assert tokens.verify(token) == 7
    clock.advance(0.2)
    with pytest.raises(TokenError, match="expired"):
        tokens.verify(token)
    with pytest.raises(TokenError, match="expired"):
        Tokens(b"secret", clock=clock).verify(token)


def test_the_memory_of_verified_tokens_is_bounded(clock: FakeClock) -> None:
    """The oldest verified token is forgotten first, and still verifies."""
    tokens = Tokens(b"secret", remembered=3, clock=clock)
    issued = [tokens.issue(user_id) for user_id in range(1, 11)]
    assert [tokens.verify(token) for token in issued] == list(range(1, 11))
    assert len(tokens._verified) == 3
    assert tokens.verify(issued[0]) == 1


@pytest.mark.parametrize("crit", [None, True, 5, 1.5, [1], [[]], [{}], "b64", ["b64"], {}])
def test_a_header_of_the_wrong_type_is_refused(crit: object) -> None:
    """Nobody has signed such a token, so it is refused like any other that is not ours."""
    header = json.dumps({"alg": "HS256", "crit": crit}).encode()
    forged = ".".join(
        urlsafe_b64encode(part).decode().rstrip("=") for part in (header, b"{}", b"x")
    )
    with pytest.raises(TokenError, match="not a token"):
        Tokens(b"secret").verify(forged)


def test_expired_tokens_are_not_remembered(clock: FakeClock) -> None:
    """A token that expired gives its place back."""
    tokens = Tokens(b"secret", clock=clock)
    token = tokens.issue(1, lifetime=1.0)
    clock.advance(2.0)
    with pytest.raises(TokenError):
        tokens.verify(token)
    assert not tokens._verified


def _part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


CLAIMS = {"sub": "1", "iat": 0, "exp": 1e12}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "...",
        "\u00e9" * 20,
        "a" * 100_000,
        f"{_part({'alg': 'none'})}.{_part(CLAIMS)}.",
        f"{_part({'alg': 'HS256'})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': 'RS256'})}.{_part(CLAIMS)}.AAAA",
        f"{_part([])}.{_part(CLAIMS)}.AAAA",
        jwt.encode(
            {"alg": "HS256"}, CLAIMS, OctKey.import_key(b"another secret, 32 bytes of it..")
        ),
    ],
)
def test_forged_tokens_are_refused(token: str) -> None:
    """No algorithm, another algorithm, another key, or rubbish: refused and not remembered."""
    tokens = Tokens(b"secret")
    with pytest.raises(TokenError):
        tokens.verify(token)
    assert not tokens._verified


@given(at=st.integers(0, 149), character=st.characters(codec="ascii"))
def test_any_changed_character_is_refused(at: int, character: str) -> None:
    """A token with one character changed does not verify."""
    tokens = Tokens(b"secret")
    token = tokens.issue(5)
    damaged = token[:at] + character + token[at + 1 :]
    last_bits = at == len(token) - 1  # base64 ignores bits of the last character
    if damaged != token and not last_bits:
        with pytest.raises(TokenError):
            tokens.verify(damaged)


@pytest.mark.parametrize(("user_id", "lifetime"), [(0, 1.0), (-1, 1.0), (1 << 31, 1.0), (1, 0.0)])
def test_senseless_tokens_are_not_issued(user_id: int, lifetime: float) -> None:
    """User ids out of range and lifetimes that are over are refused."""
    with pytest.raises(ValueError, match="must be"):
        Tokens(b"secret").issue(user_id, lifetime=lifetime)


def test_the_arguments_are_checked() -> None:
    """An empty secret or memory is refused when given."""
    with pytest.raises(ValueError, match="secret"):
        Tokens(b"")
    with pytest.raises(ValueError, match="remembered"):
        Tokens(b"secret", remembered=0)
