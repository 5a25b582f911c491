"""A gateway before two services: routes, a canary, an endpoint that dies, a reload."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import msgspec

from loadpath.gateway import Gateway, GatewaySettings
from loadpath.http import ConnectionPool, Origin, Request
from loadpath.local import nginx
from loadpath.local.ports import free_ports


def settings(port: int, stable: list[str], canary: str, *, share: int) -> GatewaySettings:
    """Return what `gateway.toml` would say."""
    document = {
        "listeners": [{"port": port}],
        "log": {"access": ""},
        "upstreams": {
            "stable": {"endpoints": [{"address": each} for each in stable]},
            "canary": {"endpoints": [{"address": canary}]},
        },
        "routes": [
            {
                "name": "orders",
                "match": {"prefix": "/orders"},
                "targets": [
                    {"upstream": "stable", "weight": 100 - share},
                    {"upstream": "canary", "weight": share},
                ],
            },
            {
                "name": "asked",
                "match": {"prefix": "/orders", "headers": {"X-Canary": "1"}},
                "targets": [{"upstream": "canary"}],
            },
        ],
    }
    return msgspec.convert(document, GatewaySettings)


async def main() -> None:
    """Run it."""
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        one, other, next_ = [
            await stack.enter_async_context(nginx(server=f'location / {{ return 200 "{name}"; }}'))
            for name in ("stable 1", "stable 2", "canary")
        ]
        addresses = [f"127.0.0.1:{each.port}" for each in (one, other)]
        canary = f"127.0.0.1:{next_.port}"
        gateway = await stack.enter_async_context(
            Gateway(settings(port, addresses, canary, share=10))
        )
        pool = await stack.enter_async_context(ConnectionPool())

        async def ask(path: str, **fields: str) -> tuple[int, str]:
            sent = [(name.replace("_", "-").encode(), v.encode()) for name, v in fields.items()]
            request = Request(b"GET", path.encode(), sent)
            async with await pool.request(Origin("127.0.0.1", port), request) as answer:
                return answer.status, (await answer.read()).decode()

        seen = Counter([(await ask("/orders/7"))[1] for _ in range(100)])
        print("100 requests, one in ten to the canary:", dict(sorted(seen.items())))
        print("who asks for it gets it:", await ask("/orders/7", X_Canary="1"))
        print("no route is 404 and no 500:", (await ask("/users"))[0])

        await one.stop()
        statuses = Counter([(await ask("/orders/7"))[0] for _ in range(50)])
        print("one endpoint has died, and no request with it:", dict(statuses))

        await gateway.reload(settings(port, addresses[1:], canary, share=50))
        seen = Counter([(await ask("/orders/7"))[1] for _ in range(100)])
        print("after a reload:", dict(sorted(seen.items())))


asyncio.run(main())
