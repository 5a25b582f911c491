"""Who of this process waits in a store's queue, and what it is told meanwhile."""

import asyncio

from loadpath.lock.store import ASK


class Waiters:
    """Remember waiters by owner and tell them of their grants."""

    def __init__(self) -> None:
        self._told: dict[str, asyncio.Future[int]] = {}

    def __len__(self) -> int:
        return len(self._told)

    def enter(self, owner: str) -> None:
        """Listen on behalf of a waiter from now on."""
        self._told[owner] = asyncio.get_running_loop().create_future()

    def leave(self, owner: str) -> None:
        """Listen for it no more."""
        del self._told[owner]

    def grant(self, owner: str, token: int) -> None:
        """Tell a waiter of its grant; nothing happens when it has left."""
        told = self._told.get(owner)
        if told is not None and not told.done():
            told.set_result(token)

    def gap(self) -> None:
        """Let every waiter ask, because its grant may have been missed."""
        for owner in self._told:
            self.grant(owner, ASK)

    async def told(self, owner: str, within: float) -> int:
        """Return the token of a waiter's grant, or `ASK` when it is time to ask."""
        told = self._told[owner]
        timer = asyncio.get_running_loop().call_later(within, self.grant, owner, ASK)
        try:
            return await told
        finally:
            timer.cancel()
            self.enter(owner)
