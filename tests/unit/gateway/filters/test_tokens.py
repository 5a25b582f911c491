"""Tokens: good ones, and every way that they are attacked."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from loadpath.gateway.filters.errors import KeyFileError, NotAuthenticatedError
from loadpath.gateway.filters.keys import key_set, public_key, shared_secret
from loadpath.gateway.filters.tokens import UnknownKeyError, check, check_time
from loadpath.gateway.settings.filters import Algorithm, JwtSettings
from tests.unit.gateway.filters.tokenkit import NOW, SECRET, key, pem, public_jwk, signed

CLAIMS: dict[str, Any] = {
    "sub": "ann",
    "iss": "https://issuer.example",
    "aud": ["api", "web"],
    "scope": "read write",
    "roles": ["editor"],
    "exp": NOW + 60,
    "nbf": NOW - 60,
}
SHARED = shared_secret(SECRET, ["HS256"])


def settings(*algorithms: Algorithm, **more: Any) -> JwtSettings:
    """Return what tokens must say."""
    return JwtSettings(algorithms=algorithms or ("HS256",), secret_file="s", **more)


def body(**changes: Any) -> bytes:
    """Return claims with some changed, or left out where they are None."""
    return json.dumps({k: v for k, v in {**CLAIMS, **changes}.items() if v is not None}).encode()


ALL: tuple[Algorithm, ...] = (
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip


@pytest.mark.parametrize("algorithm", ALL)
def test_every_algorithm_is_checked(algorithm: Algorithm) -> None:
    """A good token gives its principal; one bit of the signature changed, and it gives none."""
    hs = algorithm.startswith("HS")
    keys = shared_secret(SECRET, [algorithm]) if hs else public_key(pem(algorithm), [algorithm])
    token = signed(body(), algorithm)
    principal = check(token, keys, settings(algorithm), by="main").principal
    assert (principal.name, principal.by) == ("ann", "main")
    assert principal.scopes == {"read", "write"}
    assert principal.roles == {"editor"}
    at = token.rindex(".") + 1
    changed = token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]
    with pytest.raises(NotAuthenticatedError):
        check(changed, keys, settings(algorithm), by="main")


def test_ed25519_by_its_newer_name() -> None:
    """RFC 9864 calls the same signature `Ed25519`."""
    keys = public_key(pem("EdDSA"), ["EdDSA"])
    token = signed(body(), "Ed25519", by=key("EdDSA"))
    assert check(token, keys, settings("EdDSA"), by="main").principal.name == "ann"


def _unsigned(alg: str) -> str:
    parts = (json.dumps({"alg": alg, "typ": "JWT"}).encode(), body())
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts) + "."


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_none(alg: str) -> None:
    """`none` is never taken, however it is written."""
    with pytest.raises(NotAuthenticatedError):
        check(_unsigned(alg), SHARED, settings(), by="main")


def test_a_public_key_is_no_shared_secret() -> None:
    """A token signed by HS256 with the public key's text does not pass for one of RS256."""
    keys = public_key(pem("RS256"), ["RS256"])
    forged = _written({}, by=pem("RS256"))
    for algorithms in (("RS256",), ("RS256", "HS256")):
        with pytest.raises(NotAuthenticatedError):
            check(forged, keys, settings(*algorithms), by="main")


def test_an_algorithm_that_is_not_allowed_is_none() -> None:
    """A token does not choose a weaker one."""
    with pytest.raises(NotAuthenticatedError):
        check(signed(body(), "HS512"), SHARED, settings("HS256"), by="main")


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": 5},
        {"b64": False, "crit": ["b64"]},
        {"typ": "secevent+jwt"},
        {"typ": 5},
        {"kid": ["a"]},
        {"kid": {"a": 1}},
    ],
)
def test_a_head_that_asks_for_more_is_refused(header: dict[str, Any]) -> None:
    """Extensions, other types and wrong types are refused, never an error of ours."""
    with pytest.raises(NotAuthenticatedError):
        check(_written(header), SHARED, settings(), by="main")


def _written(header: dict[str, Any], *, by: bytes = SECRET) -> str:
    """Return a token whose head no library would write, signed by hand."""
    parts = (json.dumps({"alg": "HS256", **header}).encode(), body())
    text = b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts)
    mac = hmac.new(by, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"text"',
        b"",
        b"\xff",
        b"[" * 100_000,
        body(exp="soon"),
        body(exp=True),
        body(exp=[1]),
        body(nbf={}),
        body(exp=10**400),
        body(sub=7),
    ],
)
def test_claims_of_wrong_types_are_refused(payload: bytes) -> None:
    """They are signed by the issuer and wrong all the same: refused, never an error of ours."""
    with pytest.raises(NotAuthenticatedError):
        check(signed(payload), SHARED, settings(), by="main")


@pytest.mark.parametrize(
    ("needed", "claims", "good"),
    [
        ({"issuer": "https://issuer.example"}, {}, True),
        ({"issuer": "https://issuer.example"}, {"iss": "https://issuer.example/"}, False),
        ({"issuer": "https://issuer.example"}, {"iss": ["https://issuer.example"]}, False),
        ({"issuer": "https://issuer.example"}, {"iss": None}, False),
        ({"audience": "api"}, {}, True),
        ({"audience": "api"}, {"aud": "api"}, True),
        ({"audience": "api"}, {"aud": "api2"}, False),
        ({"audience": "api"}, {"aud": ["web"]}, False),
        ({"audience": "api"}, {"aud": None}, False),
        ({"audience": "api"}, {"aud": {"api": 1}}, False),
    ],
)
def test_issuer_and_audience(needed: dict[str, str], claims: dict[str, Any], *, good: bool) -> None:
    """A token of somebody else, or for somebody else, is none of ours."""
    token = signed(body(**claims))
    try:
        check(token, SHARED, settings(**needed), by="main")
    except NotAuthenticatedError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize(
    ("now", "leeway", "good"),
    [
        (NOW, 0, True),
        (NOW + 59.9, 0, True),
        (NOW + 60, 0, False),
        (NOW + 60, 5, True),
        (NOW + 65, 5, False),
        (NOW - 60, 0, True),
        (NOW - 61, 0, False),
        (NOW - 61, 5, True),
    ],
)
def test_a_token_has_its_time(now: float, leeway: float, *, good: bool) -> None:
    """From `nbf` until just before `exp`, a difference of clocks apart."""
    checked = check(signed(body()), SHARED, settings(), by="main")
    try:
        check_time(checked, now, leeway)
    except NotAuthenticatedError:
        assert not good
    else:
        assert good


def test_a_key_is_found_by_its_id() -> None:
    """Of several keys the named one checks; a name that is not there may be newer than the set."""
    document = json.dumps(
        {
            "keys": [
                public_jwk("ES256", kid="a", use="sig"),
                {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "b"},
                {"kty": "future", "kid": "c"},
                "nonsense",
                public_jwk("RS256", kid="d", use="enc"),
                {"kty": "oct", "k": "AAAA", "kid": "e"},
            ]
        }
    ).encode()
    keys = key_set(document, ["ES256", "RS256"])
    assert [each.kid for each in keys] == ["a", "b"]
    wanted = settings("ES256")
    assert check(signed(body(), "ES256", kid="a"), keys, wanted, by="x").principal.name == "ann"
    assert check(signed(body(), "ES256"), keys, wanted, by="x").principal.name == "ann"
    with pytest.raises(NotAuthenticatedError) as caught:
        check(signed(body(), "ES256", kid="b"), keys, wanted, by="x")
    assert not isinstance(caught.value, UnknownKeyError)
    with pytest.raises(UnknownKeyError):
        check(signed(body(), "ES256", kid="z"), keys, wanted, by="x")


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": {"a": 1}}', b"\xff", b"[" * 9],
)
def test_what_is_no_set_of_keys_is_said(document: bytes) -> None:
    """An issuer that publishes nonsense is told from one with keys."""
    with pytest.raises(KeyFileError):
        key_set(document, ["ES256"])


@pytest.mark.parametrize("document", [b'{"keys": []}', b'{"keys": [1, null, {"kty": "RSA"}]}'])
def test_an_issuer_may_withdraw_every_key(document: bytes) -> None:
    """A set without a usable key is a set: newer keys may be there soon, until then none holds."""
    keys = key_set(document, ["ES256"])
    assert keys == []
    with pytest.raises(UnknownKeyError):
        check(signed(body(), "ES256"), keys, settings("ES256"), by="x")


def test_a_named_key_that_no_key_bears_may_be_newer() -> None:
    """Keys without an id are tried; when none fits, the set may be old."""
    other = ECKey.generate_key("P-256").as_dict(private=False)
    keys = key_set(json.dumps({"keys": [other]}).encode(), ["ES256"])
    with pytest.raises(UnknownKeyError):
        check(signed(body(), "ES256", kid="new"), keys, settings("ES256"), by="x")
    with pytest.raises(NotAuthenticatedError) as caught:
        check(signed(body(), "ES256"), keys, settings("ES256"), by="x")
    assert not isinstance(caught.value, UnknownKeyError)


@pytest.mark.filterwarnings("ignore:Key size should be:UserWarning")
def test_weak_keys_are_not_taken() -> None:
    """A short secret, and an RSA key below 2,048 bits, are refused when settings are read."""
    with pytest.raises(KeyFileError, match="32 bytes"):
        shared_secret(b"short\n", ["HS256"])
    with pytest.raises(KeyFileError, match="public key"):
        shared_secret(pem("RS256"), ["HS256"])
    weak = rsa.generate_private_key(65_537, 1_024).public_key()  # noqa: S505 - weak on purpose
    with pytest.raises(KeyFileError):
        public_key(weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ["RS256"])


@given(token=st.text(max_size=200) | st.from_regex(r"[\w-]{0,30}\.[\w-]{0,30}\.[\w-]{0,30}"))
def test_no_text_breaks_it(token: str) -> None:
    """Whatever stands in the field is refused, and nothing else happens."""
    with pytest.raises(NotAuthenticatedError):
        check(token, SHARED, settings(), by="main")
