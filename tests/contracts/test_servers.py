"""What every local server promises, whatever program it runs."""

from pathlib import Path

import pytest

from loadpath.local import FolderInUseError, ServerError
from tests.contracts.starters import Starter, every_server


@every_server
async def test_a_server_tells_what_it_is_and_vanishes(starter: Starter) -> None:
    """It answers on loopback, says its version and where its data is, and leaves no folder."""
    async with starter() as server:
        assert server.running
        assert server.port > 0
        assert server.facts.version[0].isdigit()
        folder = server.folder
        assert folder.exists()
    assert not server.running
    assert not folder.exists()


@every_server
async def test_a_killed_server_restarts_where_it_was(starter: Starter, base: Path) -> None:
    """After a crash the same server comes back on the same port."""
    async with starter(data=base / "data") as server:
        port, first = server.port, server.pid
        await server.kill()
        assert not server.running
        await server.restart()
        assert server.running
        assert server.port == port
        assert server.pid != first


@every_server
async def test_starting_a_running_server_harms_nothing(starter: Starter, base: Path) -> None:
    """A second start of the same server is refused, and the first one goes on."""
    async with starter(data=base / "data") as server:
        pid = server.pid
        with pytest.raises(ServerError, match="runs already"):
            await server.start()
        assert server.running
        assert server.pid == pid


@every_server
async def test_a_named_folder_has_one_owner(starter: Starter, base: Path) -> None:
    """A second start on the same folder is refused while the first one lives, and harms nothing."""
    async with starter(data=base / "data") as server:
        with pytest.raises(FolderInUseError, match="in use by process"):
            await starter(data=base / "data").__aenter__()
        assert server.running


@every_server
async def test_a_wanted_port_is_used(starter: Starter, base: Path) -> None:
    """A caller's own port is taken as it is."""
    async with starter(data=base / "a") as server:
        port = server.port
    async with starter(data=base / "b", port=port) as server:
        assert server.port == port
