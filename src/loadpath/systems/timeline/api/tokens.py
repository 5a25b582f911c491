"""Bearer tokens: JSON Web Tokens, signed with HMAC-SHA-256 and nothing else.

Verifying costs tens of microseconds, so what was verified once is remembered until it expires, in
a bounded memory: a hot token then costs a dictionary look-up.

Source: RFC 7519 (JWT), RFC 8725 section 3.1 (the algorithm is ours to choose, never the token's).
"""

import hashlib

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import LoadpathError

_ALGORITHMS = ["HS256"]
_HEADER = {"alg": "HS256"}
_LARGEST_USER = (1 << 31) - 1
_LONGEST = 512  # characters; ours have about 150


class TokenError(LoadpathError, PermissionError):
    """Refuse a token that is forged, expired, or not one of ours."""


class Tokens:
    """Issue and verify the tokens of one record.

    Args:
        secret: What signs them; every process of one record must have the same.
        remembered: Most verified tokens kept in memory.
        clock: Where the time comes from.
    """

    def __init__(
        self, secret: bytes, *, remembered: int = 100_000, clock: Clock | None = None
    ) -> None:
        if not secret:
            raise ValueError("secret must not be empty: use the record's")
        if remembered < 1:
            raise ValueError(f"remembered must be at least 1, not {remembered}")
        self._key = OctKey.import_key(hashlib.blake2b(secret, person=b"tokens").digest())
        self._now = (clock or SystemClock()).time
        self._remembered = remembered
        self._verified: dict[str, tuple[int, float]] = {}

    def issue(self, user_id: int, *, lifetime: float = 86_400.0) -> str:
        """Return a token that says who its bearer is.

        Args:
            user_id: The bearer.
            lifetime: Seconds until it expires.

        Raises:
            ValueError: The lifetime is not above 0 s, or the user id is out of range.
        """
        if not lifetime > 0:
            raise ValueError(f"lifetime must be above 0 s, not {lifetime}")
        if not 1 <= user_id <= _LARGEST_USER:
            raise ValueError(f"user_id must be 1-{_LARGEST_USER}, not {user_id}")
        now = self._now()
        claims = {"sub": str(user_id), "iat": int(now), "exp": now + lifetime}
        return jwt.encode(_HEADER, claims, self._key, algorithms=_ALGORITHMS)

    def verify(self, token: str) -> int:
        """Return the user id that the token was issued to.

        Raises:
            TokenError: The token is forged, expired, or not one of ours.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._read(token)
            if len(self._verified) >= self._remembered:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = known
        user_id, expires = known
        if self._now() >= expires:
            del self._verified[token]
            raise TokenError("the token has expired: sign in again")
        return user_id

    def _read(self, token: str) -> tuple[int, float]:
        if len(token) > _LONGEST or not token.isascii():
            raise TokenError("not a token of this system: sign in to get one")
        try:
            claims = jwt.decode(token, self._key, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            # The library checks the types of some header fields by using them.
            raise TokenError("not a token of this system: sign in to get one") from error
        # Only we can have signed it, so the claims are those of `issue`.
        return int(claims["sub"]), float(claims["exp"])
