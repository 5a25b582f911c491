"""Commands that must share a connection."""

from typing import Any

import pytest

from loadpath.resp import NotConnectedError, ReplyLostError
from loadpath.resp.pinned import Pinned


class Client:
    """Answers every command, perhaps over another connection than before."""

    def __init__(self) -> None:
        self.connections = 1
        self.lost_at: str | None = None

    async def execute(self, *command: Any) -> Any:
        """Answer with the command."""
        if command[0] == self.lost_at:
            self.connections += 1
        return command


async def test_commands_run_as_long_as_the_connection_is_the_same() -> None:
    """Then they are in doubt, if they were under way, or refused."""
    client = Client()
    pinned = Pinned(client, lambda: client.connections)
    assert await pinned.execute("SET", "k", 1) == ("SET", "k", 1)
    client.lost_at = "WAIT"
    with pytest.raises(ReplyLostError):
        await pinned.execute("WAIT", 1, 0)
    with pytest.raises(NotConnectedError):
        await pinned.execute("PING")
    assert await Pinned(client, lambda: client.connections).execute("PING") == ("PING",)
