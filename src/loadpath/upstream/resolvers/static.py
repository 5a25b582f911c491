"""Endpoints that are known beforehand."""

from collections.abc import Iterable

from loadpath.balance import Endpoint, EndpointSet
from loadpath.upstream.resolvers.resolver import Stream


class StaticResolver:
    """Give one set, forever.

    Args:
        endpoints: Endpoints, or `host:port` strings; may be none.

    Raises:
        ValueError: An address is there twice, or is none.
    """

    def __init__(self, endpoints: Iterable[Endpoint | str]) -> None:
        self._endpoints = EndpointSet(endpoints)

    async def watch(self) -> Stream:
        """Give the set."""
        yield self._endpoints
