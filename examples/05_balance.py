"""Which endpoint gets the next call: `python examples/05_balance.py`.

Three web servers run in this process; one begins to fail its calls while its `/health` stays fine,
another one fails its checks, a fourth joins by a hot reload, and one is taken out by hand.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from loadpath.balance import (
    Balancer,
    Endpoint,
    HealthRouter,
    LeastResponseTime,
    OutlierRules,
    SlowStart,
    WeightedRoundRobin,
)


@dataclass
class WebServer:
    """A server that answers `/health` and `/`, as well as it can at the moment."""

    name: str
    healthy: bool = True
    works: bool = True
    address: str = field(default="", init=False)

    async def start(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        well = self.healthy if head.startswith(b"GET /health ") else self.works
        status = b"200 OK" if well else b"500 Internal Server Error"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()


async def get(router: HealthRouter) -> tuple[str, int]:
    """Make one call and tell the router how it went."""
    with router.pick() as pick:
        reader, writer = await asyncio.open_connection(pick.endpoint.host, pick.endpoint.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        status = int((await reader.readline()).split()[1])
        writer.close()
        pick.answered(status)
    return pick.endpoint.address, status


async def calls(router: HealthRouter, names: dict[str, str], title: str) -> None:
    """Make two hundred calls and print who got them."""
    got: Counter[str] = Counter()
    failed = 0
    for _ in range(200):
        address, status = await get(router)
        got[names[address]] += 1
        failed += status >= 500
    shares = ", ".join(f"{name} {got[name]}" for name in sorted(names.values()))
    print(f"{title:<38} {shares}; failed {failed}")


async def on_real_servers() -> None:
    """Health is checks and traffic."""
    servers = [WebServer(name) for name in "abcd"]
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(await server.start())
        names = {server.address: server.name for server in servers}
        a, b, c, _ = servers
        balancer = Balancer(
            [a.address, b.address, c.address],
            policy=LeastResponseTime,
            outliers=OutlierRules(base_ejection=60.0),
            slow_start=SlowStart(window=30.0),
        )
        async with HealthRouter(balancer, interval=0.05) as router:
            await calls(router, names, "all are well")
            a.works = False
            await calls(router, names, "a fails its calls, /health is fine")
            b.healthy = False
            await asyncio.sleep(0.4)
            await calls(router, names, "b fails its checks (1 of 3 left: panic)")
            router.swap([each.address for each in servers])
            await calls(router, names, "d joins by a reload, cold")
            router.set_server_health(c.address, healthy=False)
            await calls(router, names, "c is taken out by hand")
            for stats in router.get_server_stats():
                print(f"  {names[stats.address]}: {stats.state}, {stats.request_count} calls")


def in_nginx_order() -> None:
    """Weights without bursts."""
    weights = {"a": 5, "b": 1, "c": 1}
    endpoints = [Endpoint(host=name, port=80, weight=weight) for name, weight in weights.items()]
    balancer = Balancer(endpoints, policy=WeightedRoundRobin)
    order = []
    for _ in range(7):
        with balancer.pick() as pick:
            order.append(pick.endpoint.host)
    print("weights 5, 1, 1:", *order)


if __name__ == "__main__":
    asyncio.run(on_real_servers())
    in_nginx_order()
