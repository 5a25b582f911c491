"""Owners in processes of their own, and what is left of them."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadpath.local import folders

OWNER = Path(__file__).with_name("owner.py")

Start = Callable[..., Coroutine[Any, Any, "Owner"]]


class Owner:
    """A process that owns a server, below a temporary folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.dsn = ""

    async def up(self) -> None:
        """Wait until it says that its server is up."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        self.dsn = line.decode().strip()
        assert self.dsn, "the owner did not come up"

    async def end(self, number: signal.Signals = signal.SIGKILL, *, times: int = 1) -> int:
        """Send a signal, perhaps several times at once, and wait for its end."""
        for _ in range(times):
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
                await asyncio.sleep(0.02)
        await asyncio.wait_for(self._process.communicate(), 30)
        assert self._process.returncode is not None
        return self._process.returncode


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make every temporary folder below one of the test's own: in memory, for speed."""
    memory = folders.SHARED_MEMORY if folders.SHARED_MEMORY.is_dir() else None
    base = Path(tempfile.mkdtemp(dir=memory, prefix="test-loadpath-"))
    monkeypatch.setenv("TMPDIR", str(base))
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    monkeypatch.setattr(folders, "SHARED_MEMORY", base / "none")
    monkeypatch.setattr(folders, "MEMORY_FILESYSTEMS", frozenset())
    yield base
    for process in living(base):
        process.kill()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
async def owner(base: Path) -> AsyncIterator[Start]:
    """Start owners; none outlives the test."""
    started: list[asyncio.subprocess.Process] = []

    async def start(kind: str, data: Path | None = None, *, untied: bool = False) -> Owner:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            OWNER,
            kind,
            str(data or "-"),
            "yes" if untied else "no",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(base)},
        )
        started.append(process)
        return Owner(process)

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def living(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in the folder or below, zombies aside."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


async def none_living(folder: Path, *, within: float = 10.0) -> bool:
    """Return whether soon nobody works in the folder or below."""
    deadline = asyncio.get_running_loop().time() + within
    while living(folder):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
