"""The access log: one JSON object a line, written in batches by a thread, never by the loop.

What a client sends stands in it as JSON strings, so that nobody can make up a line. When the disk
is slower than the traffic, lines are dropped and counted; requests never wait for them.
"""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

MOST = 20_000
"""Lines that may wait to be written."""

EVERY = 0.2
"""Seconds between two writes."""

_PIPE = 4_096  # bytes that go into a pipe at once, so that lines of several workers stay whole


class Entry(msgspec.Struct, kw_only=True):
    """Tell one request; of what was none only when, who and with what status.

    Attributes:
        time: When it began (Unix s).
        id: Its id.
        trace: Its trace.
        client: Who sent it.
        principal: As whom, empty for nobody known.
        method: Its method.
        scheme: How it came.
        host: What it asked.
        target: Path and query.
        status: Status of the answer, 499 when the client did not wait for one.
        sent: Bytes of the answer's body.
        seconds: How long it took.
        route: Its route, empty for none.
        endpoint: Who answered, empty for nobody.
        attempts: How often it was tried.
        agent: What sent it.
        referer: From which page.
    """

    time: float
    id: str = ""
    trace: str = ""
    client: str
    principal: str = ""
    method: str = ""
    scheme: str = ""
    host: str = ""
    target: str = ""
    status: int
    sent: int = 0
    seconds: float = 0.0
    route: str = ""
    endpoint: str = ""
    attempts: int = 0
    agent: str = ""
    referer: str = ""


class AccessLog:
    """Write entries to a file, or to standard output.

    Args:
        where: The file, `-` for standard output.

    Attributes:
        dropped: Lines that were not written.
    """

    def __init__(self, where: str) -> None:
        self.dropped = 0
        self._where = where
        self._entries: list[Entry] = []
        self._encoder = msgspec.json.Encoder()
        self._ended = threading.Event()
        self._reopen = False
        self._file = self._open()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def write(self, entry: Entry) -> None:
        """Take an entry; it is written soon, or dropped when too many wait."""
        if len(self._entries) < MOST:
            self._entries.append(entry)
        else:
            self.dropped += 1

    def reopen(self) -> None:
        """Open the file anew before the next write, as whoever rotates it asks."""
        self._reopen = True

    def close(self) -> None:
        """Write what is left."""
        self._ended.set()
        self._thread.join()
        if self._where != "-":
            os.close(self._file)

    def _open(self) -> int:
        if self._where == "-":
            return sys.__stdout__.fileno() if sys.__stdout__ is not None else os.dup(2)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(Path(self._where), flags, 0o640)

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        if self._reopen and self._where != "-":
            self._reopen = False
            try:
                fresh = self._open()
            except OSError:
                self._reopen = True  # the old file goes on; tried again at the next write
            else:
                os.close(self._file)
                self._file = fresh
        entries, self._entries = self._entries, []
        if not entries:
            return
        try:
            for batch in self._batches(entries):
                _write_all(self._file, batch)
        except OSError:
            self.dropped += len(entries)

    def _batches(self, entries: list[Entry]) -> Iterator[bytes]:
        lines = [self._encoder.encode(entry) + b"\n" for entry in entries]
        if stat.S_ISREG(os.fstat(self._file).st_mode):
            yield b"".join(lines)
            return
        batch = b""
        for line in lines:
            if batch and len(batch) + len(line) > _PIPE:
                yield batch
                batch = b""
            batch += line
        yield batch


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
