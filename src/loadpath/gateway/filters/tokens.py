"""Check JSON Web Tokens: signature, times, issuer, audience. Pure: keys and time are arguments.

Source: RFC 7519 (JWT), RFC 8725 (best practices), RFC 7515 section 4.1.11 (`crit`).
"""

from math import inf
from typing import Any

import msgspec

from loadpath.gateway.exchange import Principal
from loadpath.gateway.filters.errors import NotAuthenticatedError
from loadpath.gateway.filters.keys import VerifyingKey
from loadpath.gateway.settings.filters import JwtSettings
from loadpath.upstream.errors import ExtraMissingError

try:
    from joserfc.errors import JoseError
    from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
except ModuleNotFoundError as error:
    raise ExtraMissingError("tokens", "gateway") from error

LONGEST = 8_192
"""Characters of a token that are looked at."""

_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_ED = ("Ed25519", "Ed448")  # RFC 9864's names of what EdDSA was
_NONE_OF_OURS = "not a token of this issuer"


class UnknownKeyError(NotAuthenticatedError):
    """Refuse a token whose `kid` is not among the keys; newer ones may have it."""


class _Registry(JWSRegistry):
    """Take the algorithms that it is told, without advice about them."""

    max_header_length = 4_096

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise NotAuthenticatedError(_NONE_OF_OURS)
        return self.algorithms[name]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a good token says.

    Attributes:
        principal: Whose it is.
        begins: When it begins to hold (Unix s).
        expires: When it ends (Unix s), infinite when it does not say.
    """

    principal: Principal
    begins: float
    expires: float


def check(token: str, keys: list[VerifyingKey], settings: JwtSettings, *, by: str) -> Checked:
    """Return what a token says whose signature, issuer and audience are good.

    Args:
        token: In the compact form.
        keys: Of the issuer.
        settings: What it must say.
        by: Name of the issuer in the settings.

    Raises:
        UnknownKeyError: Its key is not among `keys`.
        NotAuthenticatedError: It is forged, not a token, or not one of this issuer.
    """
    signature = _extracted(token)
    claims = _claims(signature.payload)
    _check_names(claims, settings)
    _check_signature(signature, keys, frozenset(settings.algorithms))
    expires = _moment(claims, "exp", inf)
    begins = max(_moment(claims, "nbf", -inf), _moment(claims, "iat", -inf))
    return Checked(principal=_principal(claims, by), begins=begins, expires=expires)


def check_time(checked: Checked, now: float, leeway: float) -> None:
    """Refuse a token before its time and after it.

    Raises:
        NotAuthenticatedError: It has expired, or is not valid yet.
    """
    if now >= checked.expires + leeway:
        raise NotAuthenticatedError("the token has expired")
    if now < checked.begins - leeway:
        raise NotAuthenticatedError("the token is not valid yet")


def _extracted(token: str) -> CompactSignature:
    if len(token) > LONGEST or not token.isascii():
        raise NotAuthenticatedError(_NONE_OF_OURS)
    try:
        signature = extract_compact(token.encode(), registry=_Registry())
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotAuthenticatedError("not a token: it must have three parts") from error
    header = signature.headers()
    kind = header.get("typ", "JWT")
    if "crit" in header or "b64" in header or not isinstance(kind, str):
        raise NotAuthenticatedError("the token needs what this gateway does not know")
    if kind.lower() not in _TYPES:
        raise NotAuthenticatedError(f"the token is of another type: {kind[:20]!r}")
    return signature


def _claims(payload: bytes | None) -> dict[str, Any]:
    try:
        claims = msgspec.json.decode(payload or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAuthenticatedError(_NONE_OF_OURS) from error
    if not isinstance(claims, dict):
        raise NotAuthenticatedError(_NONE_OF_OURS)
    return claims


def _check_names(claims: dict[str, Any], settings: JwtSettings) -> None:
    if settings.issuer and claims.get("iss") != settings.issuer:
        raise NotAuthenticatedError(_NONE_OF_OURS)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if settings.audience and settings.audience not in audiences:
        raise NotAuthenticatedError("the token is for somebody else")


def _check_signature(
    signature: CompactSignature, keys: list[VerifyingKey], allowed: frozenset[str]
) -> None:
    header = signature.headers()
    written, kid = header.get("alg"), header.get("kid", "")
    algorithm = "EdDSA" if written in _ED else written
    if not isinstance(algorithm, str) or algorithm not in allowed or not isinstance(kid, str):
        raise NotAuthenticatedError(_NONE_OF_OURS)
    named = [each for each in keys if not kid or not each.kid or each.kid == kid]
    registry = _Registry(algorithms=[str(written)], strict_check_header=False)
    if any(_signed_by(each, signature, algorithm, registry) for each in named):
        return
    if not keys or (kid and all(each.kid != kid for each in keys)):
        raise UnknownKeyError("the token is signed with a key that is not known")
    raise NotAuthenticatedError("the signature of the token is wrong")


def _signed_by(
    key: VerifyingKey, signature: CompactSignature, algorithm: str, registry: JWSRegistry
) -> bool:
    if algorithm not in key.algorithms:
        return False
    try:
        return validate_compact(signature, key.key, registry=registry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return False  # the library checks some parts by using them


def _moment(claims: dict[str, Any], name: str, missing: float) -> float:
    value = claims.get(name, missing)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAuthenticatedError(f"{name} of the token is no time")
    try:
        return float(value)
    except OverflowError as error:
        raise NotAuthenticatedError(f"{name} of the token is no time") from error


def _principal(claims: dict[str, Any], by: str) -> Principal:
    subject = claims.get("sub", claims.get("client_id", ""))
    if not isinstance(subject, str):
        raise NotAuthenticatedError("sub of the token is no text")
    return Principal(
        name=subject,
        by=by,
        scopes=_words(claims, "scope") | _words(claims, "scp"),
        roles=_words(claims, "roles") | _words(claims, "role"),
        claims=claims,
    )


def _words(claims: dict[str, Any], name: str) -> frozenset[str]:
    """Return what a claim lists: words in a text, or texts in a list."""
    value = claims.get(name, "")
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    if isinstance(value, list):
        return frozenset(each for each in value if isinstance(each, str))
    return frozenset()
