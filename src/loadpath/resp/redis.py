"""The same commands through redis-py: for Sentinel, Cluster, or a client that exists already.

redis-py repeats a command whose reply was lost as often as its client is set to, and does not tell
a command that was not sent from one in doubt: every lost connection counts as in doubt here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis import exceptions
from redis.asyncio import ConnectionPool, Redis, RedisCluster

from loadpath.resp.commands import Commands, OnGap, OnMessage
from loadpath.resp.encoding import Argument, encode
from loadpath.resp.errors import CommandError, MovedError, NotConnectedError, ReplyLostError
from loadpath.resp.redis_channel import Channel
from loadpath.resp.replies import Reply, error_of
from loadpath.resp.unfinished import Unfinished, key_of

# redis-py takes the code away from the errors that it knows.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AskError, ""),
    (exceptions.MovedError, ""),
    (exceptions.NoScriptError, "NOSCRIPT"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.TryAgainError, "TRYAGAIN"),
    (exceptions.MasterDownError, "MASTERDOWN"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.AuthenticationError, "WRONGPASS"),
)
_TROUBLE = (exceptions.RedisError, OSError)


class RedisCommands:
    """Run commands through a client that was handed in and stays the caller's.

    Args:
        client: A redis-py asyncio client, of one server, of Sentinel (`master_for`) or of Cluster;
            without `decode_responses`.
    """

    def __init__(self, client: "Redis | RedisCluster") -> None:
        if client.get_encoder().decode_responses:
            raise ValueError("client must not decode responses: leave decode_responses out")
        self._client: Any = client
        self._clustered = isinstance(client, RedisCluster)
        self._unfinished = Unfinished()

    async def execute(self, *command: Argument) -> Reply:
        """Run one command and return its reply.

        It is run whether or not the caller is cancelled; commands of its key that come later wait
        for it then.

        Raises:
            CommandError: The server answered with an error.
            ReplyLostError: The connection was lost, or could not be made.
            ValueError: The command is not for a shared connection; says what to do instead.
            TypeError: An argument is neither bytes, str, int nor float.
        """
        key = key_of(command)
        await self._unfinished.before(key)
        task = asyncio.create_task(_executed(self._client, command))
        return await self._unfinished.run(key, task)

    async def primaries(self) -> list[Commands]:
        """Return the commands of every server that keys are on.

        Raises:
            ReplyLostError: The cluster did not say.
        """
        if not self._clustered:
            return [self]
        await self._know_nodes()
        return [_OfNode(node) for node in self._client.get_primaries()]

    @asynccontextmanager
    async def pinned(self, key: str) -> AsyncIterator[Commands]:
        """Give, for a block, commands that share a connection to the server of a key, or raise.

        Of Sentinel or one server it comes from the client's pool; of Cluster it is a new one.
        """
        await self._unfinished.before(key)
        try:
            connection, give_back = await self._connection_for(key)
        except _TROUBLE as error:
            raise _ours(error) from error
        pinned = _OnConnection(connection)
        try:
            yield pinned
        except MovedError as error:
            await self._learn(key)
            raise NotConnectedError(f"not run: {error}") from error
        finally:
            ending = asyncio.create_task(pinned.end(give_back))
            if pinned.busy:
                self._unfinished.leave(key, ending)
            else:
                await self._unfinished.run(key, ending)

    @asynccontextmanager
    async def subscribed(
        self, channel: bytes | str, on_message: OnMessage, *, on_gap: OnGap | None = None
    ) -> AsyncIterator[None]:
        """Hear a channel's publications within the block, on a connection of its own.

        A connection that is lost or silent is made again, of Cluster to any of its nodes; `on_gap`
        then tells that publications may have been missed.

        Args:
            channel: Its name.
            on_message: Hears the payload of each; called in order, returns at once.
            on_gap: Hears that some may have been missed.

        Raises:
            NotAllowedError: This user may not hear the channel.
            ReplyLostError: There is no connection now.
        """
        heard = Channel(self._pubsub, channel, on_message, on_gap)
        hearing = asyncio.create_task(heard.hear())
        try:
            await heard.agreed(hearing)
        except _TROUBLE as error:
            raise _ours(error) from error
        else:
            yield
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    async def _know_nodes(self) -> None:
        try:
            await self._client.initialize()
        except _TROUBLE as error:
            raise _ours(error) from error

    async def _connection_for(self, key: str) -> tuple[Any, Any]:
        """Return a connection to the server of a key, and how to give it back."""
        if not self._clustered:
            pool = self._client.connection_pool
            return await pool.get_connection(), pool.release
        await self._client.initialize()
        node = self._client.get_node_from_key(key)
        connection = node.connection_class(**node.connection_kwargs)
        await connection.connect()
        return connection, _disconnected

    async def _learn(self, key: str) -> None:
        """Let redis-py find out where a key is now: it follows the server's hint."""
        with suppress(*_TROUBLE):
            await self._client.execute_command("EXISTS", key)

    @asynccontextmanager
    async def _pubsub(self) -> AsyncIterator[Any]:
        if not self._clustered:
            async with self._client.pubsub() as pubsub:
                yield pubsub
            return
        await self._client.initialize()
        node = self._client.get_random_node()
        pool = ConnectionPool(connection_class=node.connection_class, **node.connection_kwargs)
        async with Redis.from_pool(pool) as redis, redis.pubsub() as pubsub:
            yield pubsub


class _OfNode:
    """Run commands on one node of a cluster."""

    def __init__(self, node: Any) -> None:
        self._node = node

    async def execute(self, *command: Argument) -> Reply:
        """Run one command and return its reply."""
        return await _executed(self._node, command)


class _OnConnection:
    """Run commands on one connection, one after the other, each to its end."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._whole = True  # it holds no half of an answer
        self._last: asyncio.Task[Reply] | None = None

    async def execute(self, *command: Argument) -> Reply:
        """Run one command and return its reply."""
        payload = encode(command)
        if not self._connection.is_connected:
            raise NotConnectedError("not sent: the connection of the commands before is lost")
        self._last = asyncio.create_task(self._run(payload))
        return await asyncio.shield(self._last)

    @property
    def busy(self) -> bool:
        """Whether a command is under way that nobody waits for any more."""
        return self._last is not None and not self._last.done()

    async def end(self, give_back: Callable[[Any], Awaitable[None]]) -> None:
        """Give the connection back once its last command is answered."""
        try:
            if self._last is not None:
                self._last.add_done_callback(_heard)
                await asyncio.wait([self._last])
        finally:
            if self._last is not None:
                self._last.cancel()
            if not self._whole:
                await self._connection.disconnect(nowait=True)
            await give_back(self._connection)

    async def _run(self, payload: bytes) -> Reply:
        self._whole = False
        try:
            await self._connection.send_packed_command(payload, check_health=False)
            reply = await self._connection.read_response()
        except _TROUBLE as error:
            self._whole = isinstance(error, exceptions.ResponseError)
            raise _ours(error) from error
        self._whole = True
        return reply


async def _executed(client: Any, command: tuple[Argument, ...]) -> Reply:
    encode(command)  # refuses what a shared connection does not carry
    try:
        return await client.execute_command(*map(_plain, command))
    except _TROUBLE as error:
        raise _ours(error) from error


def _heard(task: "asyncio.Task[Reply]") -> None:
    """Look at an outcome that nobody may wait for."""
    if not task.cancelled():
        task.exception()


async def _disconnected(connection: Any) -> None:
    await connection.disconnect()


def _plain(argument: Argument) -> Argument:
    return bytes(argument) if isinstance(argument, bytearray) else argument


def _ours(error: Exception) -> Exception:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return error_of(f"{code} {error}".strip())
    if isinstance(error, exceptions.ResponseError):
        return CommandError(str(error))
    return ReplyLostError(f"no reply: {error}")
