"""`loadpath lock`: hold a lock around a command, list what is held, take a lock away."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from rich.table import Table

from loadpath.cli.entry import UsageError, asked
from loadpath.cli.interruptible import SIGNALS, run_interruptible
from loadpath.cli.output import console_for, print_json
from loadpath.local.identity import launch_command
from loadpath.lock import (
    DistributedLock,
    Held,
    HeldLock,
    LeaseLost,
    LockOptions,
    LockTimeout,
)
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import Address, RespClient

if TYPE_CHECKING:
    from redis.asyncio import RedisCluster

    from loadpath.resp.redis import RedisCommands

NOT_HAD: Final = 75
"""Exit code when somebody else kept the lock until the wait was over (EX_TEMPFAIL)."""
LOST: Final = 76
"""Exit code when the lease was lost and the command was killed."""
NOT_RUN: Final = 127
"""Exit code when there is no such command, as a shell says it."""
DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"

Url = Annotated[str, Parameter(env_var="LOADPATH_REDIS")]


def hold(
    key: str,
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    ttl: float = 30.0,
    wait: float | None = None,
    redis: Url = DEFAULT_URL,
) -> int:
    """Run a command while holding a lock; the command is killed when the lease is lost.

    The command finds the fencing token in LOADPATH_FENCING_TOKEN and the key in LOADPATH_LOCK_KEY.
    Signals are forwarded to it, and it dies with this process (Linux). Exit codes: the command's
    own (128 + N when signal N ended it), 75 the lock was not free in time, 76 the lease was lost,
    127 there is no such command.

    Args:
        key: The lock.
        command: What to run, after `--`.
        ttl: Seconds until the lock is free again when this process is gone.
        wait: Seconds to wait for the lock, 0 to try once; as long as it takes when left out.
        redis: URL of the server, or of one of a cluster.
    """
    with asked():
        options = LockOptions(ttl=ttl, wait=inf if wait is None else wait)
        Address.from_url(redis)
    if not command or not key:
        raise UsageError("a key and a command are needed: loadpath lock hold KEY -- COMMAND")
    program = shutil.which(command[0])
    if program is None:
        return _said(f"{command[0]}: there is no such command", NOT_RUN)
    work = _Run([os.path.abspath(program), *command[1:]])  # noqa: PTH100 - links stay as they are
    return asyncio.run(work.under(key, options, redis))


def ls(prefix: str = "", *, json: bool = False, redis: Url = DEFAULT_URL) -> None:
    """List the locks that are held.

    Args:
        prefix: Only keys that begin with it.
        json: Print them for programs.
        redis: URL of the server, or of one of a cluster.
    """
    with asked():
        Address.from_url(redis)
    held = run_interruptible(_held(redis, prefix))
    if json:
        print_json([_as_json(one) for one in held])
    else:
        console_for(json=False).print(_table(held))


def release(key: str, *, token: int | None = None, redis: Url = DEFAULT_URL) -> int:
    """Take a lock away from its holder; its section ends at the next renewal.

    What the holder writes until then is refused only by resources that look at the token. Exits
    with 1 when nobody held it.

    Args:
        key: The lock.
        token: Only from the holder with this token.
        redis: URL of the server, or of one of a cluster.
    """
    with asked():
        Address.from_url(redis)
    released = run_interruptible(_evict(redis, key, token))
    console_for(json=False).print(f"released: {released}")
    return 0 if released else 1


class _Run:
    """Run one command under a lock."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._came: signal.Signals | None = None
        self._starting = False

    async def under(self, key: str, options: LockOptions, url: str) -> int:
        """Take the lock, run the command, and return the exit code."""
        self._waiting = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._forward, number)
        try:
            async with _locks(url) as lock:
                return await self._held(lock, key, options)
        except asyncio.CancelledError:
            if self._came is None:
                raise
            return 128 + self._came

    async def _held(self, lock: DistributedLock, key: str, options: LockOptions) -> int:
        """Run the command under the lock; what went wrong is said before anything is closed."""
        try:
            async with lock.hold(key, options=options) as held:
                return await self._run(held)
        except LockTimeout as error:
            return _said(str(error), NOT_HAD)
        except LeaseLost as error:
            return _said(f"{error}; the command was killed", LOST)

    async def _run(self, held: HeldLock) -> int:
        self._starting = True
        starting = asyncio.ensure_future(_start(self._command, held))
        try:
            self._process = await asyncio.shield(starting)
            if self._came is not None:
                _signal(self._process, self._came)
            status = await self._process.wait()
        finally:
            await _kill(await starting)
        return 128 - status if status < 0 else status

    def _forward(self, number: signal.Signals) -> None:
        """Pass a signal on to the command; while the lock is waited for, give up."""
        if self._process is not None:
            _signal(self._process, number)
        elif self._came is None and self._waiting is not None:
            self._came = number
            if not self._starting:
                self._waiting.cancel()


async def _start(command: Sequence[str], held: HeldLock) -> asyncio.subprocess.Process:
    told = {"LOADPATH_FENCING_TOKEN": str(held.token), "LOADPATH_LOCK_KEY": held.key}
    return await asyncio.create_subprocess_exec(
        *launch_command(command, owner=os.getpid(), death_signal=signal.SIGKILL, identity=None),
        env={**os.environ, **told},
        start_new_session=True,
    )


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a command and everything that it started: the lease is over, there is no time to ask."""
    if process.returncode is None:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        os.killpg(process.pid, number)


def _said(message: str, code: int) -> int:
    print(f"loadpath: {message}", file=sys.stderr)  # noqa: T201 - for people
    return code


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[RedisLockStore]:
    """Give the store on a server, or on the cluster that it belongs to."""
    async with RespClient(url) as client:
        if b"cluster_enabled:1" not in await client.execute("INFO", "cluster"):
            yield RedisLockStore(client)
            return
    redis, commands = _through_redis_py(url)
    try:
        yield RedisLockStore(commands)
    finally:
        await redis.aclose()


def _through_redis_py(url: str) -> "tuple[RedisCluster, RedisCommands]":
    from redis.asyncio import RedisCluster  # noqa: PLC0415 - slow to import, for clusters alone

    from loadpath.resp.redis import RedisCommands  # noqa: PLC0415 - the same

    redis = RedisCluster.from_url(url)
    return redis, RedisCommands(redis)


@asynccontextmanager
async def _locks(url: str) -> AsyncIterator[DistributedLock]:
    async with _store(url) as store, DistributedLock(store) as lock:
        yield lock


async def _held(url: str, prefix: str) -> list[Held]:
    async with _store(url) as store:
        return await store.held(prefix)


async def _evict(url: str, key: str, token: int | None) -> int:
    async with _store(url) as store:
        return await store.evict(key, token)


def _as_json(held: Held) -> dict[str, object]:
    return {
        "key": held.key,
        "waiting": held.waiting,
        "holders": [{**one._asdict(), "label": one.label} for one in held.holdings],
    }


def _table(held: list[Held]) -> Table:
    table = Table(title="Locks that are held", title_justify="left")
    for column in ("key", "holder", "token", "expires in", "waiting"):
        table.add_column(column)
    for key, holdings, waiting in held:
        for one in holdings:
            table.add_row(key, one.label, str(one.token), f"{one.expires_in:.1f} s", str(waiting))
    return table
