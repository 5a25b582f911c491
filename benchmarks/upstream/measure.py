"""Measure every client: `python -m benchmarks.upstream.measure` prints the results as JSON.

One nginx under two ports and over TLS, connections that stay open, one request at a time and 32 at
once, interleaved rounds. Told is the CPU time of this process, in medians.

It shares one core with the nginx where the system lets us, and neither interrupts the other: to
wake a server that sleeps on another core costs whoever does it up to 30 us in a virtual machine,
and to be interrupted by it at every write as much. Both say nothing about clients.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.result import Result
from benchmarks.upstream.clients import AT_MOST, BODY, CLIENTS, Ask, Served
from loadpath.local import nginx
from tests.integration.http.certificates import Authority

ROUNDS = 9
REQUESTS = 640


async def figures() -> list[Result]:
    """Return every figure of the room."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving())
        asks = {
            name: await stack.enter_async_context(make(served)) for name, make in CLIENTS.items()
        }
        return [
            result
            for at_once in (1, AT_MOST)
            for result in _compared(await _cost(asks, at_once), at_once)
        ]


def settle_down() -> None:
    """Keep this process and what it starts on one core, in turns, as far as the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    """Run the servers."""
    quoted = BODY.decode().replace('"', '\\"')
    answer = f'default_type application/json; return 200 "{quoted}";'
    locations = f"keepalive_requests 1000000; location / {{ {answer} }}"
    with TemporaryDirectory(prefix="loadpath-bench-") as folder:
        authority, port = Authority(Path(folder)), _free_port()
        authority.serving("127.0.0.1")
        pem = f"{folder}/127.0.0.1.pem"
        over_tls = f"listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem};"
        async with nginx(server=locations + over_tls) as one, nginx(server=locations) as two:
            yield Served(
                plain=[one.url, two.url],
                secure=f"https://127.0.0.1:{port}",
                trust=authority.trusting(),
            )


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


async def _cost(asks: dict[str, Ask], at_once: int) -> dict[str, float]:
    """Return the CPU time of one request of each client (us)."""
    spent: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(ROUNDS):
        for name, ask in asks.items():
            spent[name].append(await _one_round(ask, at_once))
    return {name: median(times) for name, times in spent.items()}


async def _one_round(ask: Ask, at_once: int) -> float:
    async def several() -> None:
        for _ in range(REQUESTS // at_once):
            if await ask() != BODY:
                raise RuntimeError("another body came")

    start = time.process_time()
    await asyncio.gather(*(several() for _ in range(at_once)))
    return (time.process_time() - start) / REQUESTS * 1e6


def _compared(cost: dict[str, float], at_once: int) -> list[Result]:
    one = at_once == 1
    goals = [
        ("httpx over HttpxTransport", "httpx", 4.0 if one else 10.0),
        ("httpx over HttpxTransport, TLS", "httpx, TLS", 3.0 if one else 6.0),
        ("httpx over an upstream", "httpx", 3.0 if one else 7.0),
        ("httpx2 over Httpx2Transport", "httpx2", 2.0),
        ("upstream.request", "aiohttp", 1.0),
    ]
    own = cost["httpx without a transport"]
    alone = {name: cost[name] - own for name in ("httpx over HttpxTransport", "httpx")}
    ours, peer = "HttpxTransport without httpx", "httpx's transport without httpx"
    cost = {**cost, ours: alone["httpx over HttpxTransport"], peer: alone["httpx"]}
    goals.append((ours, peer, 6.0 if one else 15.0))
    return [
        Result(
            name=f"{name}, {at_once} at once",
            ours=cost[name],
            unit="us client CPU",
            better="lower",
            goal=goal,
            peer_name=peer,
            peer=cost[peer],
        )
        for name, peer, goal in goals
    ]


if __name__ == "__main__":
    settle_down()
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(figures())))
