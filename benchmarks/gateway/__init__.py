"""What a request costs a proxy: ours with everything on, nginx, and aiohttp as everybody writes it.

Each proxy runs on one core, the load and the backend (an nginx) on another, so that they do not
take each other's time. Told is the CPU time of the proxy's processes for each request, in rounds
that take turns. Ours is `loadpath gateway run` with one worker and routing, active and passive
health, a breaker, request ids, traces and figures on; its supervisor counts too. nginx keeps its
connections to the backend and tells it the client's address. No access log is written by any.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median

import psutil
import uvloop

from benchmarks.gateway.load import send
from benchmarks.result import Result
from loadpath.local import nginx
from loadpath.local.ports import free_ports

ROUNDS = 5
SMALL = '{"id": 42, "name": "a small answer, as services give them", "tags": ["a", "b", "c"]}'
SIZES = {"110 B": "/small", "16 KiB": "/16k", "1 MiB": "/1m"}
LOADS = (("110 B", 32, 8_000), ("16 KiB", 32, 6_000), ("1 MiB", 8, 300))
KEPT = "keepalive_requests 100000000;"
PROXY = f"""{KEPT}
location / {{
    proxy_pass http://backend;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Request-Id $request_id;
}}"""
SETTINGS = """
listeners = [{{port = {port}}}]
admin = {{port = {admin}}}
log = {{access = ""}}
[upstreams.backend]
endpoints = [{{address = "{backend}"}}]
keepalive = 100
health = {{path = "/small", interval = 1.0}}
breaker = {{}}
[[routes]]
name = "small"
match = {{hosts = ["bench.example.com"], prefix = "/small"}}
targets = [{{upstream = "backend"}}]
[[routes]]
name = "rest"
targets = [{{upstream = "backend"}}]
"""


class Proxy:
    """Hold one proxy.

    Args:
        port: Where it serves.
        pid: Its process.
    """

    def __init__(self, port: int | None, pid: int) -> None:
        if port is None:
            raise ValueError("a proxy that does not listen is none")
        self.port = port
        self._process = psutil.Process(pid)

    def pin(self, core: int) -> None:
        """Keep it and its children on one core."""
        for each in self._all():
            each.cpu_affinity([core])

    def cpu(self) -> float:
        """Return the CPU time that it and its children have used (s)."""
        times = [each.cpu_times() for each in self._all()]
        return sum(each.user + each.system for each in times)

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


def run() -> list[Result]:
    """Return every figure of the room."""
    return uvloop.run(_figures())


async def _figures() -> list[Result]:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(_backend())
        proxies = {
            "ours": await stack.enter_async_context(_ours(backend)),
            "nginx": await stack.enter_async_context(_nginx(backend)),
            "aiohttp": await stack.enter_async_context(_aiohttp(backend)),
        }
        stack.enter_context(_apart(list(proxies.values()), backend))
        return [
            result
            for size, at_once, requests in LOADS
            for result in _compared(size, await _cost(proxies, size, at_once, requests))
        ]


def _compared(size: str, cost: dict[str, float]) -> list[Result]:
    goals = [("nginx", 0.8 if size == "1 MiB" else 0.55, None if size == "1 MiB" else 0.8)]
    if size != "1 MiB":
        goals.append(("aiohttp", 4.0, None))
    return [
        Result(
            name=f"pass on {size}",
            ours=cost["ours"],
            unit="us proxy CPU",
            better="lower",
            goal=goal,
            stretch=stretch,
            peer_name=peer,
            peer=cost[peer],
        )
        for peer, goal, stretch in goals
    ]


async def _cost(
    proxies: dict[str, Proxy], size: str, at_once: int, requests: int
) -> dict[str, float]:
    """Return the CPU time that each proxy takes for a request (us)."""
    spent: dict[str, list[float]] = {name: [] for name in proxies}
    for _ in range(ROUNDS):
        for name, proxy in proxies.items():
            await send(proxy.port, SIZES[size], requests=at_once * 4, at_once=at_once)
            before = proxy.cpu()
            await send(proxy.port, SIZES[size], requests=requests, at_once=at_once)
            spent[name].append((proxy.cpu() - before) / requests * 1e6)
    return {name: median(times) for name, times in spent.items()}


@contextmanager
def _apart(proxies: list[Proxy], backend: Proxy) -> Iterator[None]:
    """Keep proxies on the first core, load and backend on the last one."""
    cores = sorted(os.sched_getaffinity(0))
    for each in proxies:
        each.pin(cores[0])
    backend.pin(cores[-1])
    os.sched_setaffinity(0, {cores[-1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@asynccontextmanager
async def _backend() -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        quoted = SMALL.replace('"', '\\"')
        answer = f'default_type application/json; return 200 "{quoted}";'
        locations = f"location = /small {{ {answer} }} location / {{ root {folder}; }}"
        async with nginx(server=KEPT + locations) as server:
            yield Proxy(server.port, server.pid)


def _fill(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "16k").write_bytes(b"x" * 2**14)
    (folder / "1m").write_bytes(b"x" * 2**20)


@asynccontextmanager
async def _nginx(backend: Proxy) -> AsyncIterator[Proxy]:
    peer = f"server 127.0.0.1:{backend.port}; keepalive 100; {KEPT}"
    async with nginx(http=f"upstream backend {{ {peer} }}", server=PROXY) as server:
        yield Proxy(server.port, server.pid)


@asynccontextmanager
async def _ours(backend: Proxy) -> AsyncIterator[Proxy]:
    port, admin = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.toml"
        text = SETTINGS.format(port=port, admin=admin, backend=f"127.0.0.1:{backend.port}")
        file.write_text(text)
        command = [sys.executable, "-m", "loadpath", "gateway", "run", "-c", str(file)]
        async with _process(command, port) as proxy:
            yield proxy


@asynccontextmanager
async def _aiohttp(backend: Proxy) -> AsyncIterator[Proxy]:
    (port,) = free_ports(1)
    module = "benchmarks.gateway.aiohttp_proxy"
    command = [sys.executable, "-m", module, str(port), f"http://127.0.0.1:{backend.port}"]
    async with _process(command, port) as proxy:
        yield proxy


@asynccontextmanager
async def _process(command: list[str], port: int) -> AsyncIterator[Proxy]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - at once
    try:
        await _until_it_answers(port)
        yield Proxy(port, process.pid)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _until_it_answers(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await send(port, "/small", requests=1, at_once=1)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return
