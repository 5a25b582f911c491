"""Who may use a route: first who it is, by header only, then what that one may do.

All of it happens before an upstream is chosen. Who does not say who it is gets 401, who may not
gets 403; neither learns whether what was asked exists.

Source: RFC 9110 section 11 and 15.5.2, RFC 6750 section 3 (`WWW-Authenticate`).
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from loadpath.core.errors import RejectedError
from loadpath.gateway.exchange import AnswerHead, Exchange, Principal, Reply
from loadpath.gateway.filters.errors import NotAuthenticatedError
from loadpath.gateway.passing.problems import problem
from loadpath.gateway.settings.filters import Authorisation

_RETRY_AFTER = (b"Retry-After", b"1")


class Authenticator(Protocol):
    """Know who sent a request.

    Attributes:
        challenge: What `WWW-Authenticate` asks for.
    """

    challenge: str

    def find(self, exchange: Exchange) -> Principal | Awaitable[Principal] | None:
        """Return who sent a request, None when it does not say so in this way.

        Raises:
            NotAuthenticatedError: What it says is not true.
            RejectedError: Nobody can tell now.
        """
        ...


class AuthoriseFilter:
    """Let only those use a route who may.

    Args:
        rules: Who may.
        authenticators: Ways to say who one is, in the order they are tried.
    """

    __slots__ = ("_claims", "_roles", "_scopes", "_ways")

    def __init__(self, rules: Authorisation, authenticators: Sequence[Authenticator]) -> None:
        self._ways = tuple(authenticators)
        self._scopes = frozenset(rules.scopes)
        self._roles = frozenset(rules.roles)
        self._claims = tuple(rules.claims.items())

    async def enter(self, exchange: Exchange) -> Reply | None:
        """Find who sent a request and whether that one may."""
        refused: NotAuthenticatedError | None = None
        unknown: RejectedError | None = None
        for way in self._ways:
            try:
                found = way.find(exchange)
                principal = await found if isinstance(found, Awaitable) else found
            except NotAuthenticatedError as error:
                refused = error
            except RejectedError as error:
                unknown = error  # another way may be good all the same
            else:
                if principal is not None:
                    exchange.principal = principal
                    return self._check(exchange, principal)
        if unknown is not None:
            detail, wait = str(unknown), (_RETRY_AFTER,)
            return problem(503, detail, request_id=exchange.request_id, fields=wait)
        return self._who_are_you(exchange, refused)

    def leave(self, exchange: Exchange, head: AnswerHead) -> None:
        """Leave the answer as it is."""

    def _who_are_you(self, exchange: Exchange, refused: NotAuthenticatedError | None) -> Reply:
        detail = "this route needs a token or a key" if refused is None else str(refused)
        challenges = []
        for challenge in dict.fromkeys(way.challenge for way in self._ways):
            invalid = refused is not None and challenge.startswith("Bearer")
            error = ', error="invalid_token"' if invalid else ""
            challenges.append((b"WWW-Authenticate", f"{challenge}{error}".encode()))
        return problem(401, detail, request_id=exchange.request_id, fields=tuple(challenges))

    def _check(self, exchange: Exchange, principal: Principal) -> Reply | None:
        lacking = sorted(self._scopes - principal.scopes)
        if lacking:
            needed = " ".join(sorted(self._scopes))
            challenge = f'Bearer realm="gateway", error="insufficient_scope", scope="{needed}"'
            return problem(
                403,
                f"needs the scope {lacking[0]!r}",
                request_id=exchange.request_id,
                fields=((b"WWW-Authenticate", challenge.encode()),),
            )
        if self._roles and self._roles.isdisjoint(principal.roles):
            return _forbidden(exchange, "needs another role")
        for name, wanted in self._claims:
            if not _has(principal.claims.get(name), wanted):
                return _forbidden(exchange, f"needs another {name!r}")
        return None


def _forbidden(exchange: Exchange, detail: str) -> Reply:
    return problem(403, detail, request_id=exchange.request_id)


def _has(claim: object, wanted: str | int | bool) -> bool:  # noqa: FBT001 - a claim may be one
    """Return whether a claim is the wanted value, or a list that holds it; 1 is not true."""
    values = claim if isinstance(claim, list) else [claim]
    return any(type(each) is type(wanted) and each == wanted for each in values)
