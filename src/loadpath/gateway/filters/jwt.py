"""Know who sent a request by the bearer token in its `Authorization`, and nowhere else.

Checking a signature costs tens of microseconds, so a token that was good is remembered, in a
bounded memory: as long as it holds, and as long as the keys are those it was checked with.

Source: RFC 6750 section 2.1 (bearer tokens; the body and the query are no place for them).
"""

from collections import OrderedDict
from collections.abc import Awaitable

from loadpath.core.clock import Clock, SystemClock
from loadpath.gateway.exchange import Exchange, Principal
from loadpath.gateway.filters.errors import NotAuthenticatedError
from loadpath.gateway.filters.jwks import Jwks
from loadpath.gateway.filters.keys import VerifyingKey
from loadpath.gateway.filters.tokens import Checked, UnknownKeyError, check, check_time
from loadpath.gateway.settings.filters import JwtSettings

REMEMBERED = 4_096
"""Good tokens of one issuer that are kept."""

REMEMBERED_SIZE = 4_194_304
"""Characters that they have together."""

_SCHEME = b"bearer "


class Issuer:
    """Find the principal of a bearer token of one issuer.

    Args:
        name: What `authorise.by` calls it.
        settings: What its tokens must say.
        keys: Its keys, or where they are published.
        remembered: Most good tokens that are kept.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        name: str,
        settings: JwtSettings,
        keys: list[VerifyingKey] | Jwks,
        *,
        remembered: int = REMEMBERED,
        clock: Clock | None = None,
    ) -> None:
        self.challenge = 'Bearer realm="gateway"'
        self._name = name
        self._settings = settings
        self._keys = keys
        self._most = remembered
        self._now = (clock or SystemClock()).time
        self._good: OrderedDict[str, Checked] = OrderedDict()
        self._size = 0  # characters of the tokens in it
        self._generation = 0

    def find(self, exchange: Exchange) -> Principal | Awaitable[Principal] | None:
        """Return who sent a request, None when it carries no bearer token.

        Raises:
            NotAuthenticatedError: It carries one that is not good.
            KeysUnknownError: The issuer's keys are not known now.
        """
        written = exchange.head.index.get(b"authorization")
        if written is None or written[: len(_SCHEME)].lower() != _SCHEME:
            return None
        token = written[len(_SCHEME) :].strip(b" ").decode("latin-1")
        if isinstance(self._keys, list):
            return self._principal(token, self._keys)
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._good.clear()
            self._size = 0
        keys = self._keys.present()
        if keys is not None:
            try:
                return self._principal(token, keys)
            except UnknownKeyError:
                pass
        return self._with_newer_keys(token, self._keys)

    async def aclose(self) -> None:
        """Stop fetching keys."""
        if isinstance(self._keys, Jwks):
            await self._keys.aclose()

    async def _with_newer_keys(self, token: str, source: Jwks) -> Principal:
        keys = await (source.wait() if source.present() is None else source.renew())
        return self._principal(token, keys)

    def _principal(self, token: str, keys: list[VerifyingKey]) -> Principal:
        checked = self._good.get(token)
        if checked is None:
            checked = check(token, keys, self._settings, by=self._name)
            self._remember(token, checked)
        else:
            self._good.move_to_end(token)
        try:
            check_time(checked, self._now(), self._settings.leeway)
        except NotAuthenticatedError:
            del self._good[token]
            self._size -= len(token)
            raise
        return checked.principal

    def _remember(self, token: str, checked: Checked) -> None:
        self._good[token] = checked
        self._size += len(token)
        while len(self._good) > self._most or self._size > REMEMBERED_SIZE:
            oldest, _ = self._good.popitem(last=False)
            self._size -= len(oldest)
