"""Copies of requests that go elsewhere: bounded, and their answers are read and forgotten."""

import asyncio
from contextlib import suppress
from random import Random

from loadpath.gateway.exchange import Exchange
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.gateway.serving.services import Service
from loadpath.http import BodyTooLargeError, Request
from loadpath.upstream import UpstreamError

AT_ONCE = 100
"""Copies of one route that may be under way; further ones are dropped and counted."""

LONGEST = 10.0
"""How long a copy may take (s)."""


class Mirror:
    """Send copies of a route's requests.

    Args:
        service: Where to.
        share: Of the requests (0-1).
        figures: Where copies are counted.
        random: Where chance comes from.
    """

    def __init__(
        self, service: Service, share: float, figures: RouteFigures, *, random: Random
    ) -> None:
        self._service = service
        self._share = share
        self._figures = figures
        self._random = random
        self._copies: set[asyncio.Task[None]] = set()

    def copy(self, exchange: Exchange, request: Request) -> None:
        """Send a copy, unless chance, the bound or a body in pieces says no."""
        if self._share < 1 and self._random.random() >= self._share:
            return
        whole = request.body is None or isinstance(request.body, bytes)
        if not whole or len(self._copies) >= AT_ONCE:
            self._figures.mirrors_dropped += 1
            return
        self._figures.mirrored += 1
        task = asyncio.create_task(self._send(exchange, request))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _send(self, exchange: Exchange, request: Request) -> None:
        service = self._service
        key = None if service.key is None else service.key(exchange)
        service.calls += 1
        try:
            with suppress(UpstreamError, BodyTooLargeError, TimeoutError, ValueError):
                async with asyncio.timeout(LONGEST):
                    response = await service.upstream.send(request, key=key, idempotent=False)
                    async with response:
                        async for _ in response:
                            pass
        finally:
            service.calls -= 1

    async def stop(self) -> None:
        """Give up the copies under way."""
        copies = list(self._copies)
        for each in copies:
            each.cancel()
        if copies:
            await asyncio.wait(copies)
