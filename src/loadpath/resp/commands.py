"""What rooms above ask for: commands and publications, whichever client brings them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from loadpath.resp.encoding import Argument
from loadpath.resp.replies import Reply

OnMessage = Callable[[bytes], None]
"""Hears the payload of one publication; returns at once."""
OnGap = Callable[[], None]
"""Hears that publications may have been missed: the connection was lost and is there again."""


class Commands(Protocol):
    """Run commands. A caller that is cancelled harms nobody else's reply."""

    def execute(self, *command: Argument) -> Awaitable[Reply]:
        """Run one command and return its reply.

        Raises:
            CommandError: The server answered with an error.
            RejectedError: It was not sent, or the server did not run it: trying again is safe.
            ReplyLostError: It was sent, and the reply never came.
        """
        ...


@runtime_checkable
class Pinning(Protocol):
    """Run several commands on one connection, as `WAIT` needs it: it counts that one's writes."""

    def pinned(self, key: str) -> AbstractAsyncContextManager[Commands]:
        """Give, for a block, commands that share a connection to the server of a key.

        None of them goes on over another connection: each of them raises instead.

        Raises:
            RejectedError: There is no connection, or not to the key's server.
            ReplyLostError: The connection was lost in between.
        """
        ...


@runtime_checkable
class Sharded(Protocol):
    """Know every server that keys may be on."""

    async def primaries(self) -> list[Commands]:
        """Return the commands of each of them; there a command without a key sees its keys."""
        ...


@runtime_checkable
class Publications(Protocol):
    """Hear what is published."""

    def subscribed(
        self, channel: bytes | str, on_message: OnMessage, *, on_gap: OnGap | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Hear a channel's publications within the block; it begins once the server agreed.

        Raises:
            NotAllowedError: This user may not hear the channel.
            NotConnectedError: There is no connection now.
            ReplyLostError: The connection was lost before the server agreed.
        """
        ...
