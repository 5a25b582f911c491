"""One service of three servers, called as one: `python examples/08_upstream.py`.

The servers are named in a file that changes while calls go on; one of them fails, one is taken
away. No call fails. Then httpx takes the same way.
"""

import asyncio
import json
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from loadpath.balance import Balancer, RoundRobin
from loadpath.local import nginx
from loadpath.upstream import FileResolver, HttpxTransport, Upstream

ANSWERS = ('200 "one"', '200 "two"', "503")


async def ask(orders: Upstream, times: int) -> str:
    """Return who answered how often, and after how many attempts at most."""
    answers = [await orders.request("GET", "/", timeout=5.0) for _ in range(times)]
    who = Counter(answer.body.decode() for answer in answers)
    assert all(answer.status == 200 for answer in answers)
    return f"{dict(who)}, at most {max(answer.attempts for answer in answers)} attempts a call"


async def main() -> None:
    """Call, break, reload, and show what the upstream knows."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(nginx(server=f"location / {{ return {answer}; }}"))
            for answer in ANSWERS
        ]
        addresses = [server.url.removeprefix("http://").rstrip("/") for server in servers]
        folder = await asyncio.to_thread(stack.enter_context, tempfile.TemporaryDirectory())
        file = Path(folder, "orders.json")
        await asyncio.to_thread(file.write_text, json.dumps(addresses), encoding="utf-8")

        orders = await stack.enter_async_context(
            Upstream(
                "orders",
                FileResolver(file, interval=0.05),
                balancer=Balancer(policy=RoundRobin),
            )
        )
        print("three servers, one of which answers 503:", await ask(orders, 60))
        for each in orders.snapshot().endpoints:
            print(f"  {each.state}: {each.calls} calls, {each.failures} failed {each.reason}")

        await asyncio.to_thread(file.write_text, json.dumps(addresses[1:]), encoding="utf-8")
        while len(orders.balancer.endpoints) != 2:
            await ask(orders, 5)
            await asyncio.sleep(0.01)
        print("the first one is gone from the file:", await ask(orders, 20))

        async with httpx.AsyncClient(transport=HttpxTransport(orders)) as client:
            print("over httpx:", (await client.get("http://orders/")).text)


if __name__ == "__main__":
    asyncio.run(main())
