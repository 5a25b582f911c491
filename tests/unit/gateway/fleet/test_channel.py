"""Messages arrive whole and in order, and the end of the other side is noticed."""

import asyncio
import socket
from pathlib import Path

from loadpath.gateway.fleet.channel import LARGEST, open_channel
from loadpath.gateway.fleet.watching import signature
from loadpath.gateway.orders import Checked, Done, Drain, Order, Report


async def test_messages_arrive_in_order() -> None:
    """Each as what it was."""
    ours, theirs = socket.socketpair()
    one, other = await open_channel(ours, Report), await open_channel(theirs, Order)
    one.send(Checked("api", "a:1", "x" * 100_000))
    one.send(Drain())
    assert (await other.receive()).address == "a:1"
    assert isinstance(await other.receive(), Drain)
    other.send(Done(7, "no"))
    assert (await one.receive()) == Done(7, "no")
    other.close()
    assert await one.receive() is None
    one.close()


async def test_nonsense_ends_a_channel() -> None:
    """A length that no message has is not waited for."""
    ours, theirs = socket.socketpair()
    channel = await open_channel(ours, Report)
    theirs.sendall((LARGEST + 1).to_bytes(4, "big") + b"xx")
    assert await asyncio.wait_for(channel.receive(), 5) is None
    theirs.close()
    channel.close()


def test_a_signature_tells_of_changes(tmp_path: Path) -> None:
    """Writing, replacing and removing are seen."""
    file = tmp_path / "a"
    files = [str(file)]
    seen = {signature(files)}
    file.write_text("1")
    seen.add(signature(files))
    file.write_text("22")
    seen.add(signature(files))
    other = tmp_path / "b"
    other.write_text("33")
    other.rename(file)
    seen.add(signature(files))
    assert len(seen) == 4
