"""Commands whose callers were cancelled: they go on, and later ones of their key wait for them.

Over many connections a server may run two commands in either order. What undoes a command must not
come before it, so it waits until the command that nobody waits for any more is answered.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from loadpath.resp.encoding import Argument

MOST = 1_000
"""Most commands that go on; beyond that they are cancelled with their callers."""
_KEY_OF_SCRIPT = 3
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})

T = TypeVar("T")


def key_of(command: Sequence[Argument]) -> str:
    """Return the first key of a command, or what is in its place; empty for none."""
    place = _KEY_OF_SCRIPT if command[0] in _SCRIPTS else 1
    key = command[place] if len(command) > place else ""
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


class Unfinished:
    """Remember what goes on, by key."""

    def __init__(self) -> None:
        self._going_on: dict[str, set[asyncio.Future[Any]]] = {}
        self._count = 0

    async def run(self, key: str, task: "asyncio.Task[T]") -> T:
        """Return what a task of a key returns; when cancelled, let it go on without us."""
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.leave(key, task)
            raise

    async def before(self, key: str) -> None:
        """Wait until nothing goes on for a key."""
        while self._going_on and (going_on := self._going_on.get(key)):
            await asyncio.wait(going_on)

    def leave(self, key: str, task: "asyncio.Task[Any]") -> None:
        """Let a task go on that nobody waits for."""
        if self._count >= MOST:
            task.cancel()
            return
        self._count += 1
        self._going_on.setdefault(key, set()).add(task)
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: str, task: "asyncio.Future[Any]") -> None:
        if not task.cancelled():
            task.exception()  # nobody else looks at it
        self._count -= 1
        tasks = self._going_on[key]
        tasks.discard(task)
        if not tasks:
            del self._going_on[key]
