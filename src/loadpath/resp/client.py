"""The client: one connection for many tasks, made again whenever it is lost.

While a connection is being made, commands wait for it; when that fails, they are refused at once
until the next try is due. So nobody waits for a server that is not there, and nothing piles up.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Self

from loadpath.core.backoff import Backoff
from loadpath.core.errors import RejectedError
from loadpath.resp.address import Address
from loadpath.resp.commands import Commands, OnGap, OnMessage
from loadpath.resp.connection import Confirmation, Connection, connect, heard
from loadpath.resp.encoding import Argument, encode, pack
from loadpath.resp.errors import CommandError, NotConnectedError, TooManyCommandsError
from loadpath.resp.limits import Limits
from loadpath.resp.pinned import Pinned
from loadpath.resp.pushes import Listener, OnPush, Pushes
from loadpath.resp.reconnect import Reconnect
from loadpath.resp.replies import Reply
from loadpath.resp.stats import RespStats


class RespClient:
    """Run commands of many tasks over one connection, as an async context manager.

    Args:
        address: Where the server is and who asks; a str is read by `Address.from_url`.
        limits: Bounds in time and size.
        begin: Commands that every connection begins with, such as `CLIENT TRACKING ON …`.
        backoff: Delays between tries to connect.
        random: Where their jitter comes from.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        limits: Limits | None = None,
        begin: Sequence[Sequence[Argument]] = (),
        backoff: Backoff | None = None,
        random: Random | None = None,
    ) -> None:
        self.address = Address.from_url(address) if isinstance(address, str) else address
        self._limits = limits or Limits()
        self._begin = [tuple(command) for command in begin]
        self._reconnect = Reconnect(
            backoff or Backoff(base=0.05, cap=2.0, jitter="equal"),
            random or Random(),  # noqa: S311 - spreads tries, guards nothing
        )
        self._open = False
        self._connection: Connection | None = None
        self._waiting: deque[tuple[bytes, asyncio.Future[Reply]]] = deque()
        self._refused_because: Exception | None = None
        self._refused_until = 0.0
        self._pushes = Pushes(self._report)
        self._connections = 0
        self._failures = 0
        self._commands = 0

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            OSError: There is no connection to be had, or not in time.
            CommandError: The server refuses us; NotAllowedError for user and password.
        """
        self._loop = asyncio.get_running_loop()
        connection = await self._connect()
        self._open = True
        self._up(connection)
        self._keeper = self._loop.create_task(self._keep(connection))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for the replies that are due, at most `read_timeout`, and close the connection."""
        self._open = False
        try:
            await self._drain()
        finally:
            self._keeper.cancel()
            self._give_up("the client was closed")
            if self._connection is not None:
                self._connection.drop(ConnectionError("the client was closed"))
                await asyncio.wait([self._connection.lost])
            await asyncio.wait([self._keeper])

    def execute(self, *command: Argument) -> "asyncio.Future[Reply]":
        """Send a command now and return its reply to await.

        It is on its way whether or not it is awaited; the commands of several calls share a write.
        Cancelling the reply drops it when it comes and disturbs no other.

        Args:
            command: Name and arguments. A str is sent as UTF-8, a number as its digits.

        Raises:
            CommandError: The server answered with an error (on await).
            ReplyLostError: It was sent, and the connection was lost before the reply (on await).
            NotConnectedError: It was not sent: there is no connection.
            TooManyCommandsError: It was not sent: too many wait.
            ValueError: The command is not for a shared connection; says what to do instead.
            TypeError: An argument is neither bytes, str, int nor float.
        """
        payload = encode(command)
        if not self._open:
            raise _not_open()
        reply: asyncio.Future[Reply] = asyncio.Future(loop=self._loop)
        # The same as `_put`, without its price: this is the way of every command.
        connection = self._connection
        if connection is None or self._waiting or not connection.offer(payload, reply):
            self._wait(payload, reply)
        return reply

    async def execute_many(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Run commands in a row and return their replies; a server's error is a value among them.

        Raises:
            ReplyLostError: The connection was lost in between: some may have run.
            RejectedError: One was not sent; those before it may have run.
        """
        replies: list[asyncio.Future[Reply]] = []
        try:
            replies.extend(self.execute(*command) for command in commands)
            outcomes = await asyncio.gather(*replies, return_exceptions=True)
        except BaseException:
            for reply in replies:
                reply.cancel()
            raise
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, CommandError):
                raise outcome
        return outcomes

    @asynccontextmanager
    async def pinned(self, key: str) -> AsyncIterator[Commands]:
        """Give, for a block, commands that share a connection, or raise."""
        del key  # there is one server
        yield Pinned(self, lambda: self._connections)

    @asynccontextmanager
    async def subscribed(
        self, channel: bytes | str, on_message: OnMessage, *, on_gap: OnGap | None = None
    ) -> AsyncIterator[None]:
        """Hear a channel's publications within the block; it begins once the server agreed.

        A connection that is lost and made again is subscribed again; `on_gap` then tells that
        publications may have been missed.

        Args:
            channel: Its name.
            on_message: Hears the payload of each; called in order, returns at once.
            on_gap: Hears that some may have been missed.

        Raises:
            NotAllowedError: This user may not hear the channel.
            NotConnectedError: There is no connection now.
            ReplyLostError: The connection was lost before the server agreed.
        """
        name = channel.encode() if isinstance(channel, str) else channel
        listener = self._pushes.join(name, on_message, on_gap)
        try:
            await self._confirmed("SUBSCRIBE", name)
            yield
        finally:
            if self._pushes.part(name, listener):
                with suppress(RejectedError):
                    self._confirmed("UNSUBSCRIBE", name).add_done_callback(heard)

    def listen(
        self, kind: str, on_push: OnPush, *, on_gap: OnGap | None = None
    ) -> Callable[[], None]:
        """Hear every push of a kind, such as `invalidate`, and return what ends that.

        Args:
            kind: First word of the push.
            on_push: Hears what came after it; called in order, returns at once.
            on_gap: Hears that some may have been missed, because the connection was lost.
        """
        name, listener = kind.encode(), Listener(on_push, on_gap)
        self._pushes.listen(name, listener)
        return lambda: self._pushes.leave(name, listener)

    def snapshot(self) -> RespStats:
        """Return the counts of this moment."""
        connection = self._connection
        return RespStats(
            connected=connection is not None,
            connections=self._connections,
            failures=self._failures,
            commands=self._commands + (connection.commands if connection else 0),
            pushes=self._pushes.count,
            in_flight=connection.in_flight if connection else 0,
            waiting=len(self._waiting),
        )

    def _confirmed(self, command: str, channel: bytes) -> "asyncio.Future[Reply]":
        if not self._open:
            raise _not_open()
        confirmation = Confirmation()
        self._put(pack([command, channel]), confirmation)
        return confirmation

    def _put(self, payload: bytes, reply: "asyncio.Future[Reply]") -> None:
        """Send a command, or let it wait for its turn."""
        connection = self._connection
        if connection is None or self._waiting or not connection.offer(payload, reply):
            self._wait(payload, reply)

    def _wait(self, payload: bytes, reply: "asyncio.Future[Reply]") -> None:
        """Let a command wait for the connection, or for a place on it."""
        if self._refused_because is not None:
            rest = max(0.0, self._refused_until - self._loop.time())
            message = f"not sent: no connection to {self.address}: {self._refused_because}"
            raise NotConnectedError(message, retry_after=rest) from self._refused_because
        if len(self._waiting) >= self._limits.max_waiting:
            raise TooManyCommandsError(
                f"not sent: {self._limits.max_waiting} commands wait already; send fewer at once"
            )
        self._waiting.append((payload, reply))

    def _admit(self) -> None:
        """Send those who wait, as far as there is room."""
        while self._waiting and self._connection is not None and self._connection.has_room:
            payload, reply = self._waiting.popleft()
            if not reply.done():
                self._connection.send(payload, reply)

    def _give_up(self, reason: str, *, retry_after: float | None = None) -> None:
        while self._waiting:
            _, reply = self._waiting.popleft()
            if not reply.done():
                error = NotConnectedError(f"not sent: {reason}", retry_after=retry_after)
                reply.set_exception(error)

    async def _connect(self) -> Connection:
        return await connect(
            self.address,
            self._limits,
            begin=self._begin,
            channels=self._pushes.channels,
            on_push=self._pushes.deliver,
            on_room=self._admit,
        )

    def _up(self, connection: Connection) -> None:
        self._connection = connection
        self._refused_because = None
        self._connections += 1
        self._reconnect.on_connected(self._loop.time())
        if self._connections > 1:
            self._pushes.gap()
        self._admit()

    async def _keep(self, connection: Connection) -> None:
        """Connect again whenever the connection is lost."""
        while True:
            await asyncio.wait([connection.lost])
            self._connection = None
            self._commands += connection.commands
            delay = self._reconnect.on_lost(self._loop.time())
            connection = await self._connect_again(connection.lost.result(), delay)
            self._up(connection)

    async def _connect_again(self, reason: Exception, delay: float) -> Connection:
        while True:
            if delay:
                await self._refuse_for(delay, reason)
            try:
                return await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, a later try may do
                self._failures += 1
                reason = error
            delay = self._reconnect.on_failed()

    async def _refuse_for(self, delay: float, reason: Exception) -> None:
        self._refused_because = reason
        self._refused_until = self._loop.time() + delay
        self._give_up(f"no connection to {self.address}: {reason}", retry_after=delay)
        await asyncio.sleep(delay)
        self._refused_because = None

    async def _drain(self) -> None:
        """Wait until everything sent is answered: a last PING is answered last."""
        with suppress(RejectedError):
            last: asyncio.Future[Reply] = self._loop.create_future()
            last.add_done_callback(heard)
            self._put(pack(["PING"]), last)
            await asyncio.wait([last], timeout=self._limits.read_timeout)

    def _report(self, error: Exception) -> None:
        context = {"message": "a listener of pushes raised", "exception": error}
        self._loop.call_exception_handler(context)


def _not_open() -> NotConnectedError:
    return NotConnectedError("not sent: the client is not open, use `async with`")
