"""An empty database, and the API as a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import aiohttp
import asyncpg

from loadpath.local import Child, Plan, Postgres, http_ready
from loadpath.local.ports import on_free_ports
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.record.postgres import Record

_names = count()


@asynccontextmanager
async def fresh_database(server: Postgres) -> AsyncIterator[str]:
    """Give the address of an empty database."""
    name = f"timeline_{next(_names)}"
    await _execute(server, f"CREATE DATABASE {name}")
    yield server.dsn.replace("/postgres?", f"/{name}?")
    await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: Postgres, sql: str) -> None:
    """Run one statement on a connection of its own: the test may have restarted the server."""
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@dataclass(frozen=True, kw_only=True)
class Api:
    """Reach one API process.

    Attributes:
        process: The process itself.
        url: Where it listens.
        port: The same, for raw connections.
        dsn: Its record.
        tokens: Issues tokens that it accepts.
        http: A client.
    """

    process: Child
    url: str
    port: int
    dsn: str
    tokens: Tokens
    http: aiohttp.ClientSession

    def bearer(self, user_id: int) -> dict[str, str]:
        """Return the header with which a user asks."""
        return {"Authorization": f"Bearer {self.tokens.issue(user_id)}"}


@asynccontextmanager
async def api_process(dsn: str, folder: Path, *, rings: Path | None = None) -> AsyncIterator[Api]:
    """Run the API as its own process on a free port."""
    async with Record.open(dsn, connections=1) as opened:
        tokens = Tokens(opened.identity.secret)
    config = folder / "timeline.toml"
    ports: list[int] = []

    async def ready() -> bool:
        return await http_ready(f"http://127.0.0.1:{ports[0]}/health")()

    async def start(found: list[int]) -> None:
        ports[:] = found
        lines = [f"postgres = {json.dumps(dsn)}", f"rings = {json.dumps(str(rings or folder))}"]
        text = "\n".join([*lines, "[api]", f"port = {found[0]}", ""])
        await asyncio.to_thread(config.write_text, text)
        await process.start()

    process = Child(
        Plan(
            name="timeline api",
            command=[sys.executable, "-m", "loadpath.systems.timeline.api", config],
            log=folder / "api.log",
        ),
        ready=ready,
    )
    try:
        await on_free_ports(start)
        url = f"http://127.0.0.1:{ports[0]}"
        async with aiohttp.ClientSession(url) as http:
            yield Api(process=process, url=url, port=ports[0], dsn=dsn, tokens=tokens, http=http)
    finally:
        await process.stop()
