"""The open client connections of a process: how many there may be, and how they end."""

import asyncio

from loadpath.gateway.serving.connection import ClientConnection

GRACE = 1.0
"""How long an idle connection is left open when the gateway stops (s): a request that is on its
way over it is served still, and told that it is the last one."""


class Connections:
    """Know the open connections.

    Args:
        most: How many there may be.

    Attributes:
        refused: How many were refused because there were too many.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused = 0
        self._open: set[ClientConnection] = set()
        self._draining = False
        self._none_left = asyncio.Event()
        self._none_left.set()

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: ClientConnection) -> bool:
        """Learn of a connection; returns whether there is room for it."""
        if len(self._open) >= self.most:
            self.refused += 1
            return False
        self._open.add(connection)
        self._none_left.clear()
        connection.draining = self._draining
        return True

    def closed(self, connection: ClientConnection) -> None:
        """Learn that it is gone."""
        self._open.discard(connection)
        if not self._open:
            self._none_left.set()

    async def drain(self, patience: float) -> None:
        """Let every connection finish what it carries, then close it.

        Args:
            patience: How long that may take (s); what is left then is cut.
        """
        self._draining = True
        for each in self._open:
            each.drain()
        if await self._gone_within(min(GRACE, patience / 2)):
            return
        for each in list(self._open):
            each.close_idle()
        if not await self._gone_within(patience):
            for each in list(self._open):
                each.abort()
            await self._gone_within(GRACE)

    async def _gone_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._none_left.wait()
        except TimeoutError:
            return False
        return True
