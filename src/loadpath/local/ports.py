"""Choose free loopback ports.

A port is free when it is chosen, not when it is bound: a server that finds it taken is started
again on another, unless the caller asked for that very port.
"""

import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from loadpath.local.errors import ServerError

LOOPBACK = "127.0.0.1"
TAKEN = re.compile("Address (already )?in use")
ATTEMPTS = 5
LAST_PORT = 65_535


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback TCP ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


async def on_free_ports(
    start: Callable[[list[int]], Awaitable[None]], *, count: int = 1, attempts: int = ATTEMPTS
) -> None:
    """Start something on free ports, again on others when one was taken meanwhile.

    Args:
        start: Starts it on the given ports; cleans up after itself when it fails.
        count: How many ports it needs.
        attempts: How often to try.

    Raises:
        ServerError: What `start` raised, at once when it was not about a taken port.
    """
    for left in reversed(range(attempts)):
        try:
            await start(free_ports(count))
        except ServerError as error:
            if not left or not TAKEN.search(error.log):
                raise
        else:
            return


async def on_free_port(start: Callable[[int], Awaitable[None]]) -> None:
    """Start something on one free port, as `on_free_ports` does."""
    await on_free_ports(lambda ports: start(*ports))


def checked_port(port: int | None) -> int | None:
    """Return the port a caller asked for, None for any.

    Raises:
        ValueError: It is no TCP port.
    """
    if port is None:
        return None
    if type(port) is not int or not 1 <= port <= LAST_PORT:  # True is no port
        raise ValueError(f"port must be 1 to {LAST_PORT}, or None for a free one: {port!r}")
    return port
