"""One socket: commands go out joined, replies come back in order, and then it is over.

A reply belongs to the oldest command without one. A caller that is cancelled keeps its place in
that order and its reply is dropped when it comes, so a cancellation never shifts the replies of
others. Commands of one turn of the event loop leave in one write.

Source: RESP3 specification (Redis, 2018).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from loadpath.resp.address import Address
from loadpath.resp.encoding import Argument, pack
from loadpath.resp.errors import CommandError, NotConnectedError, ReplyLostError
from loadpath.resp.extras import PushNotification, Reader
from loadpath.resp.limits import Limits
from loadpath.resp.replies import Reply, error_of

_MORE = object()
_CONFIRMATIONS = frozenset({b"subscribe", b"unsubscribe"})
_SECOND_LOOK = 0.1


class Confirmation(asyncio.Future[Reply]):
    """Wait for a command that is answered by a push, or refused by an error."""


class Connection(asyncio.Protocol):
    """Carry commands until the connection is lost; made by `connect`.

    Args:
        limits: What it may hold and how long it may take.
        on_push: Hears each push.
        on_room: Called when there may be a place for another command.

    Attributes:
        lost: Gets the reason once the connection is over.
        commands: Commands sent.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        on_push: Callable[[list[Reply]], None],
        on_room: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[Exception] = self._loop.create_future()
        self.commands = 0
        self._limits = limits
        self._max_in_flight = limits.max_in_flight
        self._on_push = on_push
        self._on_room = on_room
        self._reader = Reader(notEnoughData=_MORE, replyError=error_of)
        self._pending: deque[asyncio.Future[Reply]] = deque()
        self._unsent: list[bytes] = []
        self._open = False
        self._reason: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._progress = 0.0
        self._suspected = -1.0

    @property
    def has_room(self) -> bool:
        """Whether a command may be sent now."""
        return self._open and len(self._pending) < self._max_in_flight

    @property
    def in_flight(self) -> int:
        """Commands sent and not answered."""
        return len(self._pending)

    def offer(self, payload: bytes, reply: "asyncio.Future[Reply]") -> bool:
        """Send a command if there is room for it, and return whether there was."""
        if not self._open or len(self._pending) >= self._max_in_flight:
            return False
        self.send(payload, reply)
        return True

    def send(self, payload: bytes, reply: "asyncio.Future[Reply]") -> None:
        """Send a command with the others of this turn; `reply` gets its reply or its error."""
        if not self._pending:
            self._progress = self._loop.time()
        self._pending.append(reply)
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(payload)

    def ask(self, command: Sequence[Argument]) -> "asyncio.Future[Reply]":
        """Send a command of the connection's own."""
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self.send(pack(command), reply)
        return reply

    def drop(self, reason: Exception) -> None:
        """End the connection at once; what was sent and not answered is in doubt."""
        if self._reason is None:
            self._reason = reason
            self._open = False
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open = True
        self._progress = self._loop.time()
        self._tick()

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the oldest command without one."""
        self._progress = self._loop.time()
        try:
            self._reader.feed(data)
            self._take_replies()
        except Exception as error:  # noqa: BLE001 - whatever it is, the order of replies is lost
            self.drop(ConnectionError(f"the server does not speak RESP3: {error}"))
            return
        self._on_room()

    def pause_writing(self) -> None:
        """Let commands wait: the server reads more slowly than we write."""
        self._open = False

    def resume_writing(self) -> None:
        """Let commands go again."""
        self._open = self._reason is None
        self._on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every command without a reply what became of it."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        reason = self._reason or exc or ConnectionError("the server closed the connection")
        sent = len(self._pending) - len(self._unsent)
        for number, reply in enumerate(self._pending):
            if not reply.done():
                reply.set_exception(_in_doubt(reason) if number < sent else _not_sent(reason))
        self._pending.clear()
        self._unsent.clear()
        self.lost.set_result(reason)

    def _flush(self) -> None:
        if self._unsent and self._reason is None:
            payload = b"".join(self._unsent)
            self.commands += len(self._unsent)
            self._unsent.clear()
            self._transport.write(payload)

    def _take_replies(self) -> None:
        gets, pending = self._reader.gets, self._pending
        while (reply := gets()) is not _MORE:
            if type(reply) is PushNotification:
                self._take_push(reply)
                continue
            waiting = pending.popleft()
            if waiting.done():
                continue
            if isinstance(reply, CommandError):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)

    def _take_push(self, push: list[Reply]) -> None:
        pending = self._pending
        if push[0] not in _CONFIRMATIONS:
            self._on_push(push)
        elif pending and type(pending[0]) is Confirmation:
            waiting = pending.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def _tick(self) -> None:
        """Look whether the server has stalled, or is still there although nobody asks it."""
        now = self._loop.time()
        quiet = now - self._progress
        delay = self._limits.read_timeout - quiet
        if self._pending and delay <= 0:
            # A loop that was held up itself may find the reply in the socket: it looks twice.
            if self._suspected == self._progress:
                self.drop(TimeoutError(f"the server has not answered for {quiet:.3g} s"))
                return
            self._suspected = self._progress
            delay = self._limits.read_timeout * _SECOND_LOOK
        elif not self._pending:
            delay = self._limits.keepalive - quiet
            if delay <= 0:
                self.ask(["PING"]).add_done_callback(heard)
                delay = self._limits.read_timeout
            delay = min(delay, self._limits.read_timeout)
        self._timer = self._loop.call_later(delay, self._tick)


async def connect(
    address: Address,
    limits: Limits,
    *,
    begin: Sequence[Sequence[Argument]],
    channels: Sequence[bytes],
    on_push: Callable[[list[Reply]], None],
    on_room: Callable[[], None],
) -> Connection:
    """Return a connection that has said hello.

    Args:
        address: Where to and as whom.
        limits: Bounds of the connection.
        begin: Commands that it begins with.
        channels: Channels that it subscribes to.
        on_push: Hears each push.
        on_room: Called when there may be a place for another command.

    Raises:
        OSError: It could not be made, or not in time.
        CommandError: The server refused one of the first commands.
    """
    connection = Connection(limits, on_push=on_push, on_room=on_room)
    try:
        async with asyncio.timeout(limits.connect_timeout):
            await _open(address, connection)
            await _greet(connection, _greeting(address, begin), channels)
    except TimeoutError:
        took = f"was not ready in {limits.connect_timeout:g} s"
        raise TimeoutError(f"a connection to {address} {took}") from None
    return connection


async def _open(address: Address, connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    how: dict[str, Any] = {}
    if address.tls is not None:
        how = {"ssl": address.tls, "server_hostname": address.host}
    if address.path is not None:
        await loop.create_unix_connection(lambda: connection, address.path)
    else:
        await loop.create_connection(lambda: connection, address.host, address.port, **how)


async def _greet(
    connection: Connection, greeting: Sequence[Sequence[Argument]], channels: Sequence[bytes]
) -> None:
    replies = [connection.ask(command) for command in greeting]
    for reply in replies:
        reply.add_done_callback(heard)
    replies += [_subscribe(connection, channel) for channel in channels]
    try:
        await asyncio.wait(replies)
        for reply in replies:
            reply.result()
    except BaseException:
        connection.drop(ConnectionError("the server refused the connection"))
        await asyncio.wait([connection.lost])
        raise


def _greeting(address: Address, begin: Sequence[Sequence[Argument]]) -> list[Sequence[Argument]]:
    hello: list[Argument] = ["HELLO", 3]
    if address.password is not None:
        hello += ["AUTH", address.username or "default", address.password]
    if not address.database:
        return [hello, *begin]
    return [hello, ["SELECT", address.database], *begin]


def _subscribe(connection: Connection, channel: bytes) -> "asyncio.Future[Reply]":
    confirmation = Confirmation()
    confirmation.add_done_callback(heard)
    connection.send(pack(["SUBSCRIBE", channel]), confirmation)
    return confirmation


def _in_doubt(reason: Exception) -> Exception:
    error = ReplyLostError(f"sent, and the reply never came: {str(reason) or repr(reason)}")
    error.__cause__ = reason
    return error


def _not_sent(reason: Exception) -> Exception:
    error = NotConnectedError(f"not sent: {str(reason) or repr(reason)}")
    error.__cause__ = reason
    return error


def heard(reply: "asyncio.Future[Reply]") -> None:
    """Look at an outcome that nobody waits for."""
    if not reply.cancelled():
        reply.exception()
