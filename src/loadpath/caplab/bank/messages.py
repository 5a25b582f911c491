"""What agents say to each other: one JSON line asked, one answered, over a link."""

import asyncio
from typing import Final

import msgspec

from loadpath.local.ports import LOOPBACK

LONGEST: Final = 4_096
ASK_PATIENCE: Final = 0.6


class Canvass(msgspec.Struct, frozen=True, tag="canvass"):
    """Ask whether a node would grant an epoch; nothing changes."""

    epoch: int


class Fence(msgspec.Struct, frozen=True, tag="fence"):
    """Ask a node to grant an epoch."""

    epoch: int


class Lead(msgspec.Struct, frozen=True, tag="lead"):
    """Tell the node that knows most that it leads an epoch."""

    epoch: int


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Tell a node who leads; `ready` once the leader takes writes."""

    epoch: int
    leader: str
    ready: bool


Message = Canvass | Fence | Lead | Follow


class Answer(msgspec.Struct, frozen=True):
    """Say yes or no; a yes to `Fence` tells how much the node knows."""

    yes: bool
    epoch: int
    known_epoch: int = 0
    lsn: int = 0


async def ask(port: int, message: Message, *, patience: float = ASK_PATIENCE) -> Answer | None:
    """Ask an agent; None when no answer came in time."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=LONGEST)
            try:
                writer.write(msgspec.json.encode(message) + b"\n")
                return msgspec.json.decode(await reader.readline(), type=Answer)
            finally:
                writer.transport.abort()
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
