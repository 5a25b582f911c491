"""`GET /timelines/home` of 20 hydrated posts against a server that always answers the same.

Ours is the API process as the service runs it: full rings written by its writer, the record
behind them. The peer is Starlette on the same uvicorn, uvloop and httptools, and returns as many
constant bytes with the same headers: all that HTTP costs, and nothing else. Both are asked with
the same requests, in turns, over connections that stay open; only the servers' CPU time counts.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median

import asyncpg
import psutil

from benchmarks.result import Result
from loadpath.core.ids import SnowflakeIds
from loadpath.local import Child, Plan, http_ready, postgres, workspace
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.record.model import NewPost
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.service import TimelineService
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings
from loadpath.testing import FakeClock

ROUNDS = 5
REQUESTS = 16_000
CONNECTIONS = 16
USERS = 1_000
FOLLOWS = 50
POSTS = 20_000
SECONDS_BETWEEN_POSTS = 2.0
LENGTH = 800
TEXT = "What a day: the queue is short, the cache is warm, and nobody was paged. 좋은 하루!"


def run() -> list[Result]:
    """Return the figures of reading a home timeline."""
    return asyncio.run(_run())


async def _run() -> list[Result]:
    async with workspace() as folders, _system(folders.disk, folders.memory) as (service, tokens):
        requests = [_request(tokens.issue(user)) for user in range(1, USERS + 1)]
        size = await _answer_size(service.settings.api.port, requests[0])
        async with _constant_server(folders.disk, size) as (peer, peer_port):
            servers = [
                (service.apis[0].pid, service.settings.api.port),
                (peer.pid, peer_port),
            ]
            for _, port in servers:
                await _load(port, requests, seed=0)
            rounds = [
                [await _cost(pid, port, requests, seed) for pid, port in servers]
                for seed in range(ROUNDS)
            ]
    ours, theirs = (median(costs) for costs in zip(*rounds, strict=True))
    return [
        Result(
            name=f"GET /timelines/home, 20 hydrated posts ({size:,} B)",
            ours=ours * 1e6,
            unit="us server CPU/request",
            better="lower",
            peer_name="Starlette returning constant bytes",
            peer=theirs * 1e6,
            goal=0.5,
        )
    ]


@asynccontextmanager
async def _system(disk: Path, memory: Path) -> AsyncIterator[tuple[TimelineService, Tokens]]:
    """Run record, writer and API over users whose rings are full."""
    async with postgres() as server:
        async with Record.open(server.dsn) as record:
            await _fill(record, server.dsn)
            tokens = Tokens(record.identity.secret)
        settings = TimelineSettings(
            postgres=server.dsn,
            rings=str(memory),
            capacity=USERS,
            length=LENGTH,
            api=ApiSettings(port=free_ports(1)[0]),
        )
        async with TimelineService(settings, folder=disk) as service:
            yield service, tokens


async def _fill(record: Record, dsn: str) -> None:
    random = Random(1)
    users = range(1, USERS + 1)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.copy_records_to_table(
            "users", records=[(n, f"user_{n}") for n in users], columns=["id", "name"]
        )
        await connection.copy_records_to_table(
            "follows",
            records=[(n, m) for n in users for m in random.sample(users, FOLLOWS) if n != m],
        )
    finally:
        await connection.close()
    # As if they had been written over hours: posts of one second may still be on their way.
    clock = FakeClock()
    ids = SnowflakeIds(record.node, clock=clock)
    for _ in range(0, POSTS, 1_000):
        posts = []
        for _ in range(1_000):
            clock.advance(SECONDS_BETWEEN_POSTS)
            posts.append(NewPost(ids.next(), random.choice(users), TEXT))
        await record.publish(posts)


@asynccontextmanager
async def _constant_server(folder: Path, size: int) -> AsyncIterator[tuple[Child, int]]:
    (port,) = free_ports(1)
    plan = Plan(
        name="constant server",
        command=[
            sys.executable,
            "-m",
            "benchmarks.timeline.constant_server",
            f"{port}",
            f"{size}",
        ],
        log=folder / "constant.log",
    )
    async with Child(plan, ready=http_ready(f"http://127.0.0.1:{port}/timelines/home")) as child:
        yield child, port


def _request(token: str) -> bytes:
    return (
        "GET /timelines/home HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"User-Agent: benchmark\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


async def _answer_size(port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, size = await _exchange(reader, writer, request)
    writer.close()
    if b"timeline-source: ring" not in head:
        raise RuntimeError(f"the timeline did not come from the ring: {head!r}")
    return size


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[bytes, int]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not answered: {head!r}")
    size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(size)
    return head, size


async def _load(port: int, requests: Sequence[bytes], *, seed: int) -> None:
    """Send requests of random users over connections that stay open."""
    random = Random(seed)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(REQUESTS // CONNECTIONS):
            await _exchange(reader, writer, random.choice(requests))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))


async def _cost(pid: int, port: int, requests: Sequence[bytes], seed: int) -> float:
    """Return the server's CPU time of one request (s)."""
    process = psutil.Process(pid)
    before = process.cpu_times()
    await _load(port, requests, seed=seed)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / REQUESTS
