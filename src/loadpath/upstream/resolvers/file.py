"""Endpoints from a file that is looked at again and again; nothing of the kernel's is needed.

Replacing the file and writing into it are both seen: whenever its identity, size or times differ it
is read again, and so it is while its last change is so recent that a further one could have the
same time. A file that cannot be read, or holds something else, is refused; the old set stays.

Source: git's rule for files that changed in the moment they were looked at ("racy git").
"""

import asyncio
import os
from os import PathLike
from pathlib import Path
from time import time_ns

from loadpath.balance import EndpointSet
from loadpath.upstream.errors import ResolveError
from loadpath.upstream.resolvers.document import read_json, read_toml
from loadpath.upstream.resolvers.poll import Found, checked_wait, poll
from loadpath.upstream.resolvers.resolver import Stream

LARGEST = 16 * 2**20
"""Largest file that is read (bytes)."""

SETTLED = 2_000_000_000
"""Age from which on a change cannot be followed by another one with the same time (ns)."""

_READERS = {".json": read_json, ".toml": read_toml}


class FileResolver:
    """Give the endpoints of a TOML or JSON file whenever they change.

    Args:
        path: The file; `.toml` or `.json` tells its format.
        interval: How often it is looked at (s).

    Raises:
        ValueError: The name ends otherwise, or the interval is not above 0 s.
    """

    def __init__(self, path: str | PathLike[str], *, interval: float = 1.0) -> None:
        self._path = Path(path)
        if self._path.suffix not in _READERS:
            raise ValueError(f"path must end in .toml or .json, not {self._path.name!r}")
        self._interval = checked_wait("interval", interval)

    async def watch(self) -> Stream:
        """Give the set of the file, then each one that it becomes."""
        reader = _Reader(self._path)

        async def look() -> Found:
            return await asyncio.to_thread(reader.read), self._interval

        async for found in poll(str(self._path), look, retry=self._interval):
            yield found


class _Reader:
    """Read a file where it may have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parse = _READERS[path.suffix]
        self._seen: tuple[int, ...] | None = None
        self._endpoints = EndpointSet()

    def read(self) -> EndpointSet:
        """Return what the file holds now.

        Raises:
            ResolveError: It holds something else, or too much.
            OSError: It cannot be read.
        """
        looked = time_ns()
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            place = (status.st_dev, status.st_ino)
            seen = (*place, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if seen == self._seen:
                return self._endpoints
            data = file.read(LARGEST + 1)
        self._seen = None
        if len(data) > LARGEST:
            raise ResolveError(f"larger than {LARGEST} bytes: give it endpoints only")
        self._endpoints = self._parse(data)
        if looked - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED:
            self._seen = seen
        return self._endpoints
