"""Strict HTTP/1.1 and a pooled raw client: `python examples/06_http.py`.

Two requests that two readers would take apart differently are refused; a real nginx is asked over
kept connections, restarted under way, and one caller in three is cancelled, without a trace.
"""

import asyncio
import time
from random import Random

from loadpath.http import (
    ConnectionPool,
    Origin,
    PoolLimits,
    ProtocolError,
    Request,
    RequestParser,
    Timeouts,
)
from loadpath.local import Nginx, nginx

SMUGGLED = (
    b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"
)
TWO_HOSTS = b"GET / HTTP/1.1\r\nHost: shop.example\r\nHost: admin.example\r\n\r\n"


def what_is_refused() -> None:
    """Show what a server answers to requests that mean two things."""
    for stream in (SMUGGLED, TWO_HOSTS):
        parser = RequestParser()
        parser.receive(stream)
        try:
            parser.next_event()
        except ProtocolError as refusal:
            print(f"{refusal.status}: {refusal}")


def pipelined() -> None:
    """Take two requests out of one piece of data."""
    parser = RequestParser()
    parser.receive(
        b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
        b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    while (event := parser.next_event()) is not None:
        print("event:", getattr(event, "target", event))


async def restarted(server: Nginx, pool: ConnectionPool, origin: Origin) -> None:
    """Restart the server between two requests: the kept connection is dead, nobody notices."""
    for _ in range(2):
        response = await pool.request(origin, Request(b"GET", b"/"))
        print(response.status, await response.read())
        await server.restart()


async def cancelled(pool: ConnectionPool, origin: Origin) -> None:
    """Ask a thousand times and lose patience with a third of it."""
    random = Random(1)

    async def ask() -> bytes:
        async with await pool.request(origin, Request(b"GET", b"/")) as response:
            return await response.read()

    tasks = [asyncio.create_task(ask()) for _ in range(1_000)]
    await asyncio.sleep(0.01)
    for task in random.sample(tasks, 333):
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    print(f"{ended.count(b'hello')} of 1,000 answered; {pool.snapshot()}")


async def cost(pool: ConnectionPool, origin: Origin) -> None:
    """Say what a request costs this process."""
    request = Request(b"GET", b"/", [(b"Accept", b"*/*")])
    begun = time.process_time()
    for _ in range(2_000):
        await (await pool.request(origin, request)).read()
    print(f"one request costs {(time.process_time() - begun) / 2_000 * 1e6:.0f} us of CPU")


async def main() -> None:
    """Run the tour."""
    what_is_refused()
    pipelined()
    limits = PoolLimits(connections=8)
    async with (
        nginx(server='location / { return 200 "hello"; }') as server,
        ConnectionPool(limits=limits, timeouts=Timeouts(total=10.0)) as pool,
    ):
        origin = Origin.parse(server.url)
        await restarted(server, pool, origin)
        await cancelled(pool, origin)
        await cost(pool, origin)


if __name__ == "__main__":
    asyncio.run(main())
