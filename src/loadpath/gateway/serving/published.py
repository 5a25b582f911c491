"""Endpoints that whoever reads the settings publishes."""

import asyncio

from loadpath.balance import EndpointSet
from loadpath.upstream.resolvers.resolver import Stream


class PublishedSets:
    """Give the set of this moment, then each one that is published.

    Args:
        first: The first set.
    """

    def __init__(self, first: EndpointSet) -> None:
        self._set = first
        self._changed = asyncio.Event()

    def publish(self, endpoints: EndpointSet) -> None:
        """Replace the set."""
        self._set = endpoints
        self._changed.set()

    async def watch(self) -> Stream:
        """Give the set, then each one that it becomes."""
        while True:
            self._changed.clear()
            yield self._set
            await self._changed.wait()
