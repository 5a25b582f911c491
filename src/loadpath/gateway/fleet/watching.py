"""Notice that files have changed by looking at them again and again; nothing of the kernel's."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable

EVERY = 1.0
"""Seconds between two looks."""

Signature = tuple[tuple[int, ...] | None, ...]


def signature(files: Iterable[str]) -> Signature:
    """Return what changes when one of the files does: it is replaced, or written to."""
    return tuple(map(_signature, files))


def _signature(file: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - links are followed as the reader does
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


async def watch(files: Callable[[], list[str]], changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` whenever a file has changed, until cancelled.

    Args:
        files: Which ones, asked at every look.
        changed: What follows; the next look is after it.
    """
    known = await asyncio.to_thread(signature, files())
    while True:
        await asyncio.sleep(EVERY)
        seen = await asyncio.to_thread(signature, files())
        if seen != known:
            before = files()
            await changed()
            known = seen if files() == before else await asyncio.to_thread(signature, files())
