"""Locks on Valkey or Redis: the ledger's rules as scripts, grants told by publication.

One server, or through redis-py Sentinel and Cluster. The keys of a lock share a slot. With
`replicas` a grant counts only once so many replicas have it, which makes losing it in a failover
rarer, not impossible: only fencing tokens make that harmless.

Redlock is left out on purpose: see the reference page.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from loadpath.lock.errors import TooFewReplicasError
from loadpath.lock.ledger import Ask, Busy, Grant, Holding
from loadpath.lock.store import ASK, Held, OnGap, OnGrant, OnWanted
from loadpath.resp import (
    CommandError,
    Commands,
    NoScriptError,
    Pinning,
    Publications,
    Reply,
    Script,
    Sharded,
    run_script,
)
from loadpath.resp.encoding import Argument

_LUA = resources.files(__package__) / "lua"
_PAGE = 500


def _script(*names: str) -> Script:
    token, *parts = ((_LUA / f"{name}.lua").read_text("utf-8") for name in ("token", *names))
    return Script("".join(parts).replace("  -- token.lua\n", token))


class _Scripts:
    """Hold the scripts of one kind of lock."""

    def __init__(self, kind: str) -> None:
        self.acquire = _script("head", kind, "queue", "acquire")
        self.renew = _script("head", kind, "renew")
        self.release = _script("head", kind, "queue", "release")
        self.held = _script("head", kind, "held")


TRY = _script("try")
EXCLUSIVE, SHARED = _Scripts("exclusive"), _Scripts("shared")
_DELETES = (("DELIFEQ", ()), ("DELEX", ("IFEQ",)))
"""Commands that delete a key with a certain value: Valkey's since 9.0, Redis's since 8.4."""


class RedisLockStore:
    """Keep leases on a server.

    Args:
        commands: Runs the scripts: a `RespClient`, or `RedisCommands` for Sentinel and Cluster.
        publications: Tells waiters of their grant; `commands` itself where it can, as both of
            these do. Without it they ask.
        prefix: What the keys on the server begin with.
        replicas: Replicas that must have a grant before it counts.
        replicas_within: Seconds that they are waited for.

    Attributes:
        tells: Whether waiters hear of a grant.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        publications: Publications | None = None,
        prefix: str = "loadpath:lock:",
        replicas: int = 0,
        replicas_within: float = 1.0,
    ) -> None:
        if replicas < 0 or not replicas_within > 0:
            raise ValueError("replicas must be at least 0, replicas_within above 0 s")
        if replicas and not isinstance(commands, Pinning):
            raise ValueError("replicas needs commands with `pinned`: WAIT counts a connection's")
        if "{" in prefix or "}" in prefix:
            raise ValueError(f"prefix must not contain braces: {prefix!r}")
        if publications is None and isinstance(commands, Publications):
            publications = commands
        self._commands = commands
        self._publications = publications
        self._prefix = prefix
        self._replicas = replicas
        self._replicas_within = replicas_within
        self._channel = f"{prefix}told:{secrets.token_hex(8)}" if publications else ""
        self.tells = publications is not None
        self._deletes = iter(_DELETES)
        self._delete = next(self._deletes, None)

    async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
        """Give the lock to `ask.owner`, or a place in the queue.

        Raises:
            TooFewReplicasError: Granted, and given back because too few replicas have it.
        """
        if ask.patience or ask.capacity > 1 or self._replicas:
            return await self._acquire(key, ask)
        name, ttl = self._prefix + _tag(key), int(ask.ttl * 1000)
        holder = f"{ask.owner} {self._channel}"
        call = (3, name, name + ":token", name + ":queue", holder, ttl)
        try:
            return _answer(await self._commands.execute("EVALSHA", TRY.digest, *call))
        except NoScriptError:
            return _answer(await self._commands.execute("EVAL", TRY.source, *call))

    async def renew(self, key: str, ask: Ask, ttl: float) -> bool:
        """Lengthen the lease of `ask.owner` to `ttl` from now; False when it has none.

        Raises:
            TooFewReplicasError: It counts for nothing, although the server has it.
        """
        details = (ask.owner, _milliseconds(ttl))
        return bool(await self._lease(key, ask, _scripts(ask).renew, details))

    async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
        """Give back the lock of `ask.owner` and leave the queue; False when it had none."""
        if token and ask.capacity == 1 and self._delete is not None:
            command, words = self._delete
            name, holder = self._prefix + _tag(key), f"{ask.owner} {self._channel}"
            try:
                if await self._commands.execute(command, name, *words, holder):
                    return True
            except CommandError as error:
                if "unknown command" not in str(error):
                    raise
                self._delete = next(self._deletes, None)
        keys = self._keys(key, ask)
        return bool(await run_script(self._commands, _scripts(ask).release, keys, (ask.owner,)))

    async def held(self, prefix: str = "") -> list[Held]:
        """Return the locks that are held, of keys that begin with `prefix`."""
        found = []
        for key in sorted({key async for key in self._scan(prefix)}):
            holdings, waiting = await self._holdings(key)
            if holdings:
                found.append(Held(key, [held for held, _ in holdings], waiting))
        return found

    async def evict(self, key: str, token: int | None = None) -> int:
        """Take the lock from its holders, or from that with a token; return from how many."""
        holdings, _ = await self._holdings(key)
        chosen = [ask for held, ask in holdings if token in (None, held.token)]
        return sum([await self.release(key, ask) for ask in chosen])

    @asynccontextmanager
    async def listening(
        self, on_grant: OnGrant, on_gap: OnGap, on_wanted: OnWanted
    ) -> AsyncIterator[None]:
        """Hear within the block which waiters of this process were given their lock."""
        if self._publications is None:
            yield
            return

        def told(payload: bytes) -> None:
            owner, _, token = payload.decode().partition(" ")
            if not token:
                on_wanted(owner)
            elif self._replicas:
                on_grant(owner, ASK)  # its replicas have not been waited for
            else:
                on_grant(owner, int(token))

        async with self._publications.subscribed(self._channel, told, on_gap=on_gap):
            yield

    async def _acquire(self, key: str, ask: Ask) -> Grant | Busy:
        details = (
            ask.owner,
            _milliseconds(ask.ttl),
            ask.weight,
            ask.capacity,
            _milliseconds(ask.patience),
            self._channel,
        )
        try:
            return _answer(await self._lease(key, ask, _scripts(ask).acquire, details))
        except TooFewReplicasError:
            await self.release(key, ask)
            raise

    async def _lease(
        self, key: str, ask: Ask, script: Script, details: Sequence[Argument]
    ) -> Reply:
        """Run a script that answers with a positive number once it has written a lease."""
        keys = self._keys(key, ask)
        if not self._replicas:
            return await run_script(self._commands, script, keys, details)
        assert isinstance(self._commands, Pinning)
        async with self._commands.pinned(keys[0]) as connection:
            reply = await run_script(connection, script, keys, details)
            if type(reply) is int and reply:
                await self._replicated(key, connection)
        return reply

    def _keys(self, key: str, ask: Ask) -> tuple[str, str, str, str, str]:
        name = self._prefix + _tag(key) + ("" if ask.capacity == 1 else ":shared")
        return name, name + ":token", name + ":queue", name + ":alive", name + ":wishes"

    async def _holdings(self, key: str) -> tuple[list[tuple[Holding, Ask]], int]:
        """Return who holds a lock, with what would release it, and how many wait."""
        holdings, waiting = [], 0
        for capacity in (1, 2):
            keys = self._keys(key, Ask("", 1.0, capacity=capacity))
            scripts = EXCLUSIVE if capacity == 1 else SHARED
            more, *rest = await run_script(self._commands, scripts.held, keys)
            waiting += more
            for owner, token, weight, left in zip(*[iter(rest)] * 4, strict=True):
                name = owner.decode()
                held = Holding(name, int(token), float(left) / 1000, int(weight))
                holdings.append((held, Ask(name, 1.0, capacity=capacity)))
        return holdings, waiting

    async def _scan(self, prefix: str) -> AsyncIterator[str]:
        servers = [self._commands]
        if isinstance(self._commands, Sharded):
            servers = await self._commands.primaries()
        begin = self._prefix + "{"
        pattern = _literally(begin + _tag(prefix)[1:-1]) + "*:token"
        for server in servers:
            async for name in _scanned(server, pattern):
                tag, _, _ = name.decode().removeprefix(begin).rpartition("}")
                yield _untag(tag)

    async def _replicated(self, key: str, connection: Commands) -> None:
        have = await connection.execute(
            "WAIT", self._replicas, _milliseconds(self._replicas_within)
        )
        if have < self._replicas:
            raise TooFewReplicasError(key, have, self._replicas, self._replicas_within)


async def _scanned(server: Commands, pattern: str) -> AsyncIterator[bytes]:
    cursor: Any = b"0"
    while True:
        cursor, names = await server.execute("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        for name in names:
            yield name
        if int(cursor) == 0:
            return


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000)) if seconds else 0


def _answer(reply: Reply) -> Grant | Busy:
    if type(reply) is int:
        return Grant(reply)
    milliseconds, ahead = reply
    return Busy(milliseconds / 1000, ahead)


def _scripts(ask: Ask) -> _Scripts:
    return EXCLUSIVE if ask.capacity == 1 else SHARED


def _tag(key: str) -> str:
    """Return the part of a name that decides on the slot: the same for all keys of a lock."""
    if "{" in key or "}" in key or "%" in key:
        key = key.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return "{" + key + "}"


def _untag(tag: str) -> str:
    return tag.replace("%7D", "}").replace("%7B", "{").replace("%25", "%")


def _literally(text: str) -> str:
    """Return a glob pattern that matches the text itself."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in text)
