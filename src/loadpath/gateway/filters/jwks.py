"""The published keys of an issuer, fetched when they are needed and again as they grow old.

One fetch runs at a time, whoever waits for it may give up. While an issuer cannot be reached its
last keys go on serving for a day; what it withdraws is not used any more. A token with an unknown
key asks for new ones, but not often: anybody can make such a token.
"""

import asyncio
import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import LoadpathError
from loadpath.gateway.filters.errors import KeyFileError, KeysUnknownError
from loadpath.gateway.filters.keys import VerifyingKey, key_set
from loadpath.http import ConnectionPool, Origin, Request, Timeouts, client_context

LONGEST_STALE = 86_400.0
"""How long keys serve that cannot be fetched again (s)."""

SOONEST = 10.0
"""Wait between two fetches for the sake of unknown keys (s), or `refresh` where that is less."""

RETRY_AFTER = 1.0
"""Wait after a fetch that failed (s)."""

_LARGEST = 262_144  # bytes of a set
_TIMEOUTS = Timeouts(connect=3.0, read=3.0, total=5.0)
_OK = 200
_log = logging.getLogger("loadpath.gateway")


class Jwks:
    """Keep the keys of one issuer.

    Args:
        url: Where it publishes them.
        allowed: Algorithms that are taken.
        refresh: Seconds after which they are fetched again.
        clock: Where the monotonic time comes from.

    Attributes:
        generation: Counts the sets of keys; what was checked with an older one may not hold.
        problem: Why the last fetch failed, empty when it did not.

    Raises:
        KeyFileError: The address is none.
    """

    def __init__(
        self, url: str, allowed: Iterable[str], *, refresh: float, clock: Clock | None = None
    ) -> None:
        self._origin, target = _address(url)
        self._request = Request(b"GET", target, [(b"Accept", b"application/json")])
        self._allowed = tuple(allowed)
        self._refresh = refresh
        self._now = (clock or SystemClock()).monotonic
        self._keys: list[VerifyingKey] | None = None
        self._document = b""
        self._fetched = 0.0
        self._tried: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._closed = False
        self.generation = 0
        self.problem = ""

    def present(self) -> list[VerifyingKey] | None:
        """Return the keys, None when they must be waited for; old ones are fetched meanwhile."""
        if self._keys is None:
            return None
        age = self._now() - self._fetched
        if age > self._refresh:
            if self._may_fetch(RETRY_AFTER):
                self._fetch()
            if age > LONGEST_STALE:
                return None
        return self._keys

    async def wait(self) -> list[VerifyingKey]:
        """Return the keys, fetched first if there are none.

        Raises:
            KeysUnknownError: The issuer cannot be asked now.
        """
        await self._fetched_after(RETRY_AFTER)
        keys = self.present()
        if keys is None:
            raise KeysUnknownError("the keys of the issuer are not known yet", retry_after=1.0)
        return keys

    async def renew(self) -> list[VerifyingKey]:
        """Return newer keys where they may be asked for, else those there are."""
        await self._fetched_after(min(SOONEST, self._refresh))
        return self._keys or []

    async def aclose(self) -> None:
        """Stop fetching, once nobody waits for it."""
        self._closed = True
        fetching = self._fetching
        if fetching is None:
            return
        if not self._waiting:
            fetching.cancel()
        try:
            await asyncio.wait([fetching])
        finally:
            fetching.cancel()

    async def _fetched_after(self, seconds: float) -> None:
        """Wait for the fetch under way, or for one if the last is so long ago (s)."""
        if self._fetching is None and not self._may_fetch(seconds):
            return
        self._waiting += 1
        try:
            await asyncio.wait([self._fetch()])  # unlike awaiting it, this never cancels it
        finally:
            self._waiting -= 1

    def _may_fetch(self, seconds: float) -> bool:
        if self._closed:
            return False
        return self._tried is None or self._now() - self._tried >= seconds

    def _fetch(self) -> "asyncio.Task[None]":
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_once())
        return self._fetching

    async def _fetch_once(self) -> None:
        self._tried = self._now()
        try:
            document = await self._get()
            keys = key_set(document, self._allowed)
        except (LoadpathError, OSError, ValueError) as error:
            self._tell(str(error) or type(error).__name__)
            return
        finally:
            self._fetching = None
        self._tell("" if keys else "no key of the set can check a signature that is allowed")
        self._fetched = self._now()
        if document != self._document:
            self._document, self._keys = document, keys
            self.generation += 1

    def _tell(self, problem: str) -> None:
        """Tell an operator of a problem, and that it is over, each once."""
        if problem != self.problem:
            where = self._origin.authority.decode()
            _log.warning("keys of %s: %s", where, problem or "fetched again")
        self.problem = problem

    async def _get(self) -> bytes:
        tls = await asyncio.to_thread(client_context) if self._origin.tls else None
        async with ConnectionPool(tls=tls) as pool:
            response = await pool.request(self._origin, self._request, timeouts=_TIMEOUTS)
            if response.status != _OK:
                response.close()
                raise KeyFileError(f"the issuer answered {response.status}")
            return await response.read(most=_LARGEST)


def _address(url: str) -> tuple[Origin, bytes]:
    """Return whom to ask, and for what."""
    try:
        parts = urlsplit(url)
        origin = Origin.parse(f"{parts.scheme}://{parts.netloc}")
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        return origin, target.encode("ascii")
    except ValueError as error:
        raise KeyFileError(f"not an address of keys: {error}") from error
