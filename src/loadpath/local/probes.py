"""Ask whether a process of ours answers yet: one attempt each, False while it does not."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

Probe = Callable[[], Awaitable[bool]]

ATTEMPT = 1.0
SOONEST = 0.002
LATEST = 0.016


async def until(probe: Probe) -> None:
    """Ask again and again until the answer is True; the caller sets the time limit.

    What is up soon is seen soon, and what takes long is not asked a thousand times.
    """
    pause = SOONEST
    while not await probe():
        await asyncio.sleep(pause)
        pause = min(2 * pause, LATEST)


def tcp_ready(host: str, port: int) -> Probe:
    """Return a probe that is True once somebody accepts connections there."""

    async def probe() -> bool:
        return await _ask(host, port, b"") is not None

    return probe


def http_ready(url: str) -> Probe:
    """Return a probe that is True once `GET url` answers 200 (plain HTTP).

    Raises:
        ValueError: The address is no `http://host:port/path`.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"url must look like http://host:port/path: {url!r}")
    host, port, path = parts.hostname, parts.port or 80, parts.path or "/"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        answer = await _ask(host, port, request)
        return answer is not None and answer.split(b" ")[1:2] == [b"200"]

    return probe


async def _ask(host: str, port: int, request: bytes) -> bytes | None:
    """Return the first line of the answer, None when there is none."""
    try:
        async with asyncio.timeout(ATTEMPT):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return await reader.readline() if request else b""
            finally:
                writer.close()
    except (OSError, ValueError):
        return None
