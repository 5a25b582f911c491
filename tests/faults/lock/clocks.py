"""A Valkey server whose clock a test steps, and nobody else's.

The server loads libfaketime, which adds what a file says to every time of day that it reads; its
monotonic clock stays as it is, as on a machine whose clock an operator or NTP steps.
"""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from loadpath.local import valkey
from loadpath.local.programs import VALKEY, find_program
from loadpath.resp import RespClient

Step = Callable[[float], Awaitable[None]]


def preload(offset: Path) -> dict[str, str]:
    """Return the environment of a process whose time of day is off by what a file says (s)."""
    spec = find_spec("libfaketime")
    assert spec is not None
    assert spec.origin is not None
    library = Path(spec.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_offset(offset: Path, seconds: float) -> None:
    """Set the file (s from now)."""
    new = offset.with_suffix(".new")
    new.write_text(f"{seconds:+.3f}\n")
    new.replace(offset)  # never half a file


@asynccontextmanager
async def stepped_valkey(folder: Path) -> AsyncIterator[tuple[RespClient, Step]]:
    """Run the server, by a program of the same name that sets its environment."""
    real = await asyncio.to_thread(find_program, VALKEY, "wheel")
    set_offset(folder / "offset", 0.0)
    program = folder / "valkey-server"
    sets = "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in preload(folder / "offset").items()
    )
    program.write_text(f'#!/bin/sh\n{sets}\nexec {shlex.quote(str(real.path))} "$@"\n')
    program.chmod(0o700)
    async with (
        valkey(relaxed=True, binaries=folder) as server,
        RespClient(server.url) as client,
    ):

        async def step(seconds: float) -> None:
            set_offset(folder / "offset", seconds)
            async with asyncio.timeout(30):
                while abs(await _ahead(client) - seconds) > 1.0:  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.01)

        yield client, step


async def _ahead(client: RespClient) -> float:
    """Return how far the clock is ahead by which the server lets keys expire; it looks at times."""
    await client.execute("SET", "probe", "", "PX", 1_000_000)
    expires = await client.execute("PEXPIRETIME", "probe")
    return float(expires) / 1000 - 1000 - time.time()
