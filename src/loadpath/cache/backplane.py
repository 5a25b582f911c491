"""Hear what other processes, and foreign clients, change in the shared layer.

The server tells every connection that began with `tracking(prefix)` which keys under the prefix
were written, removed, expired or evicted; memory forgets them. It tells keys, not authors: a
process hears its own writes too, so the value it has just stored is read from L2 once more. When
the connection is lost, memory may be stale until it is there again, but no longer than the L1 ttl;
then everything in memory is distrusted.

Source: Redis and Valkey, client-side caching in broadcasting mode (RESP3).
"""

from collections.abc import Callable
from typing import Any, Protocol

from loadpath.cache.errors import NotTrackingError
from loadpath.cache.hearing import Hearing
from loadpath.cache.names import Names
from loadpath.resp import Commands, Reply


def tracking(prefix: str = "cache:") -> list[tuple[str, ...]]:
    """Return the commands that a `RespClient(begin=…)` begins with so that it hears changes."""
    names = Names(prefix)
    track = ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", names.prefix, "PREFIX", names.barriers)
    return [track]


class Client(Commands, Protocol):
    """Run commands and hear what the server sends unasked: a `RespClient`."""

    def listen(
        self,
        kind: str,
        on_push: Callable[[list[Reply]], None],
        *,
        on_gap: Callable[[], None] | None = None,
    ) -> Callable[[], None]:
        """Hear every push of a kind, and return what ends that."""
        ...


class TrackingBackplane:
    """Tell a cache what changes under its prefix.

    Args:
        client: A client that began with `tracking(prefix)`; it may be the one of the store.
        prefix: The prefix of the store.
    """

    def __init__(self, client: Client, *, prefix: str = "cache:") -> None:
        self._client = client
        self._names = Names(prefix)

    async def start(self, hearing: Hearing) -> Callable[[], None]:
        """Begin to tell, and return what ends that.

        Raises:
            NotTrackingError: The client did not begin with `tracking(prefix)`.
        """
        if not await self._tracks():
            raise NotTrackingError(self._names.prefix)
        return self._client.listen(
            "invalidate", lambda push: self._tell(push, hearing), on_gap=hearing.all_changed
        )

    async def _tracks(self) -> bool:
        info: Any = await self._client.execute("CLIENT", "TRACKINGINFO")
        wanted = {self._names.prefix.encode(), self._names.barriers.encode()}
        return b"bcast" in info[b"flags"] and wanted <= set(info[b"prefixes"])

    def _tell(self, push: list[Any], hearing: Hearing) -> None:
        if not push or push[0] is None:
            hearing.all_changed()
            return
        for key in push[0]:
            self._names.tell(key.decode("utf-8", "surrogateescape"), hearing)
