"""Locks on PostgreSQL behind a real pooler in transaction mode, where no session is one's own."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from loadpath.local import Postgres, postgres
from loadpath.local.ports import free_ports
from loadpath.lock import DistributedLock, LockOptions
from loadpath.lock.postgres import PostgresLockStore

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY = 65_534
SETTINGS = """\
[databases]
postgres = host=127.0.0.1 port={server} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 2
server_tls_sslmode = disable
logfile = {folder}/log
"""

pytestmark = [
    pytest.mark.blocking,
    pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer on this system"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the pooler may read, which refuses to be root."""
    with tempfile.TemporaryDirectory() as made:
        if os.getuid() == 0:
            os.chown(made, NOBODY, NOBODY)
        yield Path(made)


@asynccontextmanager
async def pooled(server: Postgres, folder: Path) -> AsyncIterator[str]:
    """Run a pooler with two connections to a server, and give its DSN."""
    assert PGBOUNCER is not None
    address = urlsplit(server.dsn)
    (port,) = free_ports(1)
    (folder / "users.txt").write_text(f'"{address.username}" "{address.password}"\n')
    file = folder / "pgbouncer.ini"
    file.write_text(SETTINGS.format(server=address.port, port=port, folder=folder))
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    quiet = asyncio.subprocess.DEVNULL
    pooler = await asyncio.create_subprocess_exec(
        PGBOUNCER, *user, file, stdout=quiet, stderr=quiet
    )
    try:
        await _answers(port)
        yield f"postgresql://{address.username}:{address.password}@127.0.0.1:{port}/postgres"
    finally:
        pooler.terminate()
        await pooler.wait()


async def _answers(port: int) -> None:
    """Return once somebody listens."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def test_one_holds_at_a_time_and_tokens_grow(folder: Path) -> None:
    """More clients than the pooler has sessions take turns; no session's state is relied upon."""
    inside = most = 0
    tokens: list[int] = []

    async def work(lock: DistributedLock) -> None:
        nonlocal inside, most
        for _ in range(5):
            async with lock.hold("k") as held:
                inside += 1
                most = max(most, inside)
                tokens.append(held.token)
                await asyncio.sleep(0.001)
                inside -= 1

    async with (
        postgres(relaxed=True) as server,
        pooled(server, folder) as dsn,
        asyncpg.create_pool(dsn, ssl=False, max_size=4, min_size=1, statement_cache_size=0) as a,
        asyncpg.create_pool(dsn, ssl=False, max_size=4, min_size=1, statement_cache_size=0) as b,
    ):
        one, two = PostgresLockStore(a), PostgresLockStore(b)
        await one.install()
        options = LockOptions(wait=60.0)
        async with (
            DistributedLock(one, options=options) as left,
            DistributedLock(two, options=options) as right,
        ):
            await asyncio.gather(*(work((left, right)[n % 2]) for n in range(6)))
    assert most == 1
    assert len(tokens) == 30
    assert tokens == sorted(set(tokens))
