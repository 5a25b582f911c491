"""A server that does not come up says why in its own words, and leaves nothing."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from loadpath.local import (
    FolderError,
    ServerError,
    nginx,
    ports,
    postgres,
    postgres_cluster,
    valkey,
    valkey_cluster,
)
from loadpath.local.ports import LOOPBACK, TAKEN
from tests.faults.local.conftest import names, none_living

Starter = Callable[..., AbstractAsyncContextManager[object]]

serve = partial(nginx, server="location / { return 204; }")
every_server = pytest.mark.parametrize(
    "starter", [postgres, valkey, serve], ids=["postgres", "valkey", "nginx"]
)


@contextmanager
def taken_port() -> Iterator[int]:
    """Listen on a port."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("starter", "said"),
    [
        (partial(postgres, settings={"shared_bufers": "1MB"}), "unrecognized configuration"),
        (partial(postgres, settings={"work_mem": "lots"}), "invalid value for parameter"),
        (partial(valkey, settings={"maxmemoryy": 1}), "Bad directive or wrong number"),
        (partial(nginx, server="no such directive;"), 'unknown directive "no"'),
        (partial(postgres_cluster, settings={"work_mem": "lots"}), "invalid value for parameter"),
        (partial(valkey_cluster, settings={"maxmemoryy": 1}), "Bad directive or wrong number"),
    ],
    ids=[
        "postgres name",
        "postgres value",
        "valkey",
        "nginx",
        "postgres cluster",
        "valkey cluster",
    ],
)
async def test_a_broken_setting_is_told_in_the_servers_words(
    starter: Starter, said: str, base: Path
) -> None:
    """The error carries the server's own last lines; no process and no folder stays."""
    with pytest.raises(ServerError, match=said) as caught:
        await starter().__aenter__()
    assert said in caught.value.log
    assert names(base) == []
    assert await none_living(base)


@every_server
async def test_a_taken_port_is_told(starter: Starter, base: Path) -> None:
    """The caller's own port, when taken, is not silently replaced."""
    with taken_port() as port, pytest.raises(ServerError, match=TAKEN):
        await starter(port=port).__aenter__()
    assert names(base) == []


@every_server
async def test_a_port_taken_in_between_is_replaced(
    starter: Starter, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free port that somebody else takes before the server binds it costs a second try only."""
    free = ports.free_ports
    with taken_port() as port:
        offered = iter([[port], free(1)])
        monkeypatch.setattr(ports, "free_ports", lambda _: next(offered))
        async with starter() as server:
            assert server.port != port  # type: ignore[attr-defined] # all of these have one
    assert names(base) == []


@pytest.mark.parametrize(
    "starter",
    [postgres, valkey, serve, postgres_cluster, valkey_cluster],
    ids=["postgres", "valkey", "nginx", "postgres cluster", "valkey cluster"],
)
@pytest.mark.parametrize("patience", [0, -1.0, float("nan"), float("inf")])
async def test_a_patience_that_is_none_is_refused(
    starter: Starter, patience: float, base: Path
) -> None:
    """By its name, before a folder is made."""
    with pytest.raises(ValueError, match=r"^start_timeout must be a number of seconds above 0: "):
        await starter(start_timeout=patience).__aenter__()
    assert names(base) == []


def damage(path: Path) -> None:
    """Write nonsense over a file."""
    path.write_bytes(b"\0nonsense\0" * 100)


@pytest.mark.parametrize(
    ("starter", "file", "said"),
    [
        (postgres, "pgdata/global/pg_control", "FATAL"),
        (postgres, "pgdata/PG_VERSION", "FATAL"),
        (valkey, "data/appendonlydir/appendonly.aof.1.incr.aof", "Bad file format"),
        (valkey, "data/appendonlydir/appendonly.aof.manifest", "AOF"),
    ],
    ids=["control file", "version file", "append-only file", "manifest"],
)
async def test_a_corrupt_folder_is_told_and_kept(
    starter: Starter, file: str, said: str, base: Path
) -> None:
    """Damaged data is not thrown away; the server's own words say what is wrong with it."""
    data = base / "data"
    async with starter(data=data):
        pass
    damage(data / file)
    with pytest.raises(ServerError, match=said):
        await starter(data=data).__aenter__()
    assert await asyncio.to_thread((data / file).exists)
    assert await none_living(base)


async def test_a_lost_password_is_told(base: Path) -> None:
    """Data whose password file is gone is told apart from a broken server."""
    async with postgres(data=base / "data"):
        pass
    await asyncio.to_thread((base / "data" / "password").unlink)
    with pytest.raises(FolderError, match="password"):
        await postgres(data=base / "data").__aenter__()


async def test_an_empty_password_is_told(base: Path) -> None:
    """PostgreSQL's data knows the right one, and nobody else does."""
    async with postgres(data=base / "data"):
        pass
    await asyncio.to_thread((base / "data" / "password").write_text, "")
    with pytest.raises(FolderError, match="password: is empty: restore"):
        await postgres(data=base / "data").__aenter__()


@pytest.mark.parametrize(
    ("starter", "file"),
    [
        (valkey, "password"),
        (valkey_cluster, "node-1/password"),
        (valkey_cluster, "node-4/password"),
    ],
    ids=["valkey", "first of a cluster", "another of a cluster"],
)
async def test_an_empty_password_is_made_anew(starter: Starter, file: str, base: Path) -> None:
    """Valkey is told its password at each start, so a start that was cut off costs nothing."""
    async with starter(data=base / "data"):
        pass
    await asyncio.to_thread((base / "data" / file).write_text, "")
    async with starter(data=base / "data"):
        assert await asyncio.to_thread((base / "data" / file).read_text)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@every_server
async def test_a_folder_without_permission_is_told(starter: Starter, base: Path) -> None:
    """A folder that we may not write is named."""
    closed = base / "closed"
    await asyncio.to_thread(closed.mkdir, mode=0o500)
    with pytest.raises(FolderError, match="Permission denied"):
        await starter(data=closed / "data").__aenter__()


@every_server
async def test_a_file_in_place_of_the_folder_is_told(starter: Starter, base: Path) -> None:
    """A path that is no folder is named."""
    await asyncio.to_thread((base / "file").touch)
    with pytest.raises(FolderError, match="name another folder"):
        await starter(data=base / "file").__aenter__()


@every_server
async def test_a_start_that_takes_too_long_is_ended(starter: Starter, base: Path) -> None:
    """The time limit holds, and nothing stays of what was started."""
    with pytest.raises(ServerError, match=r"0\.001 s"):
        await starter(start_timeout=0.001).__aenter__()
    assert names(base) == []
    assert await none_living(base)
