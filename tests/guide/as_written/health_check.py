"""The guide's health check of chapter 3, statement by statement.

`performHealthCheck` calls `fetch(url, { method: 'GET', timeout: 5000 })`. What `fetch` takes is the
`RequestInit` dictionary of the Fetch standard, which has no `timeout`; members that a dictionary
does not know are ignored.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

REQUEST_INIT = {
    "body",
    "cache",
    "credentials",
    "duplex",
    "headers",
    "integrity",
    "keepalive",
    "method",
    "mode",
    "priority",
    "redirect",
    "referrer",
    "referrerPolicy",
    "signal",
    "window",
}
"""What `fetch` looks at (Fetch standard, `RequestInit`)."""


class LeastResponseTimeLoadBalancer:
    """Check servers as the guide does.

    Args:
        servers: `host:port` of each.
        timeout: What the guide writes as 5000 (ms).
    """

    def __init__(self, servers: list[str], timeout: float = 5000) -> None:
        self.servers = [{"url": url, "isHealthy": True} for url in servers]
        self._timeout = timeout

    async def perform_health_check(self) -> None:
        """Ask every server for `/health`, all at once."""
        await asyncio.gather(*(self._check(server) for server in self.servers))

    async def _check(self, server: dict[str, Any]) -> None:
        try:
            ok = await fetch(
                f"http://{server['url']}/health", {"method": "GET", "timeout": self._timeout}
            )
            server["isHealthy"] = ok
        except OSError:
            server["isHealthy"] = False


async def fetch(url: str, options: dict[str, Any]) -> bool:
    """Return `response.ok`; of the options only those of the standard are looked at."""
    known = {name: value for name, value in options.items() if name in REQUEST_INIT}
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = f"{known['method']} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        return status.split(b" ")[1:2] == [b"200"]
    finally:
        writer.close()
