"""Public keys and shared secrets that signatures are checked with. Pure.

Source: RFC 7517 (JWK), RFC 7518 section 3 (which key goes with which algorithm), RFC 8725 section
3.1 and 3.5 (the algorithm is never the token's to choose, keys must be strong enough).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from loadpath.gateway.filters.errors import KeyFileError
from loadpath.upstream.errors import ExtraMissingError

try:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key
except ModuleNotFoundError as error:
    raise ExtraMissingError("tokens", "gateway") from error

if TYPE_CHECKING:
    from joserfc.jwk import Key

MOST_KEYS = 100
"""Keys of one issuer that are looked at."""

_SHORTEST_RSA = 2_048  # bits
_SHORTEST_SECRET = 32  # bytes
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_UNUSABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError)


class _KeySet(msgspec.Struct):
    keys: list[Any]


class VerifyingKey(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one key.

    Attributes:
        key: The key itself.
        kid: Its id, empty when it has none.
        algorithms: The signatures that it may check.
    """

    key: Any
    kid: str
    algorithms: frozenset[str]


def key_set(document: bytes, allowed: Iterable[str]) -> list[VerifyingKey]:
    """Return the keys of a JWK set that can check a signature; others are passed over.

    Args:
        document: JSON.
        allowed: Algorithms that are taken.

    Raises:
        KeyFileError: It is no JWK set.
    """
    try:
        listed = msgspec.json.decode(document, type=_KeySet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeyFileError('not a set of keys: it must look like {"keys": […]}') from error
    allowed = frozenset(allowed)
    return [key for each in listed[:MOST_KEYS] if (key := _from_jwk(each, allowed))]


def public_key(content: bytes, allowed: Iterable[str]) -> list[VerifyingKey]:
    """Return the public key of a PEM or JWK file.

    Raises:
        KeyFileError: There is none, or it does not go with an algorithm that is allowed.
    """
    allowed = frozenset(allowed)
    if content.lstrip().startswith(b"{"):
        found = _from_jwk(_decoded(content), allowed)
        if found is None:
            raise KeyFileError("not a public key for the algorithms that are allowed")
        return [found]
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            key = kind.import_key(content)
        except _UNUSABLE:
            continue
        algorithms = _algorithms_of(key) & allowed
        if algorithms:
            return [VerifyingKey(key=key, kid="", algorithms=algorithms)]
    raise KeyFileError("not a public key in PEM for the algorithms that are allowed")


def shared_secret(content: bytes, allowed: Iterable[str]) -> list[VerifyingKey]:
    """Return the secret of a file; a line's end after it does not belong to it.

    Raises:
        KeyFileError: It is too short to be one.
    """
    secret = content.rstrip(b"\r\n")
    if len(secret) < _SHORTEST_SECRET:
        raise KeyFileError(f"a secret needs at least {_SHORTEST_SECRET} bytes")
    try:
        key = OctKey.import_key(secret)
    except ValueError as error:
        raise KeyFileError("a public key is no secret: everybody knows it") from error
    return [VerifyingKey(key=key, kid="", algorithms=frozenset(allowed))]


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileError("not JSON") from error


def _from_jwk(jwk: Any, allowed: frozenset[str]) -> VerifyingKey | None:
    """Return a key, None for one that checks none of the signatures that are allowed."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("kty") == "oct":
        return None
    if not isinstance(kid := jwk.get("kid", ""), str):
        return None
    try:
        key = import_key(jwk)
        algorithms = _algorithms_of(key) & allowed
    except _UNUSABLE:
        return None
    if "alg" in jwk:
        algorithms &= _named(jwk["alg"])
    return VerifyingKey(key=key, kid=kid, algorithms=algorithms) if algorithms else None


def _named(algorithm: Any) -> frozenset[str]:
    if algorithm in ("Ed25519", "Ed448"):  # RFC 9864's names of what EdDSA was
        return frozenset({"EdDSA"})
    return frozenset({algorithm}) if isinstance(algorithm, str) else frozenset()


def _algorithms_of(key: "Key") -> frozenset[str]:
    if isinstance(key, RSAKey):
        strong = key.raw_value.key_size >= _SHORTEST_RSA
        return frozenset({"RS256", "RS384", "RS512"} if strong else ())
    if isinstance(key, ECKey):
        return frozenset(name for name, curve in _CURVES.items() if curve == key.curve_name)
    if isinstance(key, OKPKey):
        return frozenset({"EdDSA"} if key.curve_name in ("Ed25519", "Ed448") else ())
    return frozenset()
