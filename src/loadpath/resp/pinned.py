"""Commands that share one connection of a client, or are refused."""

from collections.abc import Callable

from loadpath.resp.commands import Commands
from loadpath.resp.encoding import Argument
from loadpath.resp.errors import NotConnectedError, ReplyLostError
from loadpath.resp.replies import Reply


class Pinned:
    """Run commands as long as the connection is the one that it was.

    Args:
        commands: Runs them, on whichever connection there is.
        connections: Counts the connections that there were.
    """

    def __init__(self, commands: Commands, connections: Callable[[], int]) -> None:
        self._commands = commands
        self._connections = connections
        self._first = connections()

    async def execute(self, *command: Argument) -> Reply:
        """Run one command on the connection of those before it, and return its reply."""
        if self._connections() != self._first:
            raise NotConnectedError("not sent: the connection of the commands before is lost")
        reply = await self._commands.execute(*command)
        if self._connections() != self._first:
            raise ReplyLostError("sent over another connection than the commands before")
        return reply
