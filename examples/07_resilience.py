"""A dependency that goes down, and what each pattern makes of it.

`python examples/07_resilience.py` starts a small server on loopback, breaks it, brings it back, and
prints what its callers see: first without anything, then through a pipeline of patterns.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec

from loadpath.core.backoff import Backoff
from loadpath.resilience import (
    BreakerPolicy,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Pipeline,
    Rate,
    RateLimit,
    RateLimited,
    Retry,
    RetryBudget,
    RetryPolicy,
    Timeout,
)


class Orders:
    """A server that answers one line, or hangs."""

    def __init__(self) -> None:
        self.hangs = False
        self.reached = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client."""
        self.reached += 1
        try:
            await reader.readline()
            if self.hangs:
                await reader.read()
            writer.write(b"ordered\n")
        finally:
            writer.close()

    async def ask(self) -> str:
        """Ask it over the network."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"a book\n")
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()


class Printed:
    """Events, as a log would have them."""

    def emit(self, event: msgspec.Struct) -> None:
        """Print one, unless it is one of many."""
        if type(event).__name__ == "BreakerChanged":
            print("   ", msgspec.json.encode(event).decode())


async def outcomes(call: Callable[[], Awaitable[str]], number: int) -> Counter[str]:
    """Return what calls at once came to."""
    ends = await asyncio.gather(*(call() for _ in range(number)), return_exceptions=True)
    return Counter(end if isinstance(end, str) else type(end).__name__ for end in ends)


async def through_trouble(orders: Orders) -> None:
    """Hang and come back, with everything in place."""
    breaker = CircuitBreaker("orders", BreakerPolicy(open_for=0.3), events=Printed())
    pipeline = Pipeline(
        Fallback(lambda error: f"answered without it ({type(error).__name__})"),
        Timeout(2.0),
        Retry(
            "orders", RetryPolicy(backoff=Backoff(base=0.01)), idempotent=True, budget=RetryBudget()
        ),
        breaker,
        Bulkhead(20, queue=100),
        Timeout(0.1),
    )
    for title, hangs in (("well", False), ("hanging", True), ("still hanging", True)):
        orders.hangs, orders.reached = hangs, 0
        print(f"{title}: {dict(await outcomes(lambda: pipeline.call(orders.ask), 50))}")
        print(f"    calls that reached it: {orders.reached}")
    orders.hangs, orders.reached = False, 0
    await asyncio.sleep(0.3)
    print(f"back: {dict(await outcomes(lambda: pipeline.call(orders.ask), 50))}")
    print(f"    calls that reached it: {orders.reached}")
    print(f"    {breaker.snapshot()}")


async def a_greedy_client() -> None:
    """Limit one client, and not the other."""
    limit, seen = RateLimit(Rate(limit=10, burst=5)), Counter[str]()
    for client in ["greedy"] * 20 + ["modest"]:
        try:
            await limit.acquire(client)
            seen[f"{client} admitted"] += 1
        except RateLimited:
            seen[f"{client} refused"] += 1
    print(f"rate limit: {dict(seen)}")


async def main() -> None:
    """Run all of it."""
    orders = Orders()
    server = await asyncio.start_server(orders.serve, "127.0.0.1", 0)
    orders.port = server.sockets[0].getsockname()[1]
    async with server:
        await through_trouble(orders)
        await a_greedy_client()


if __name__ == "__main__":
    asyncio.run(main())
