"""Connections kept open and shared, for each origin no more than it may have.

A place is a connection that exists or is being made. A request takes the connection that became
free last, else a free place, else it waits in line; the line is bounded. A connection that the
server closed meanwhile is found out before use, or by its closing before any byte of a response:
then the request is sent again on a new one if that cannot do anything twice.

Source: RFC 9112 section 9.3.1 (retrying requests), 9.4 (concurrency); Go's net/http.Transport.
"""

import asyncio
import math
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from loadpath.core.errors import RejectedError
from loadpath.http.connection import Connection, connect
from loadpath.http.errors import (
    ConnectError,
    PoolClosedError,
    PoolFullError,
    PoolTimeoutError,
    ResponseLostError,
)
from loadpath.http.limits import LIMITS, Limits
from loadpath.http.origin import Origin
from loadpath.http.request import TIMEOUTS, Request, Timeouts, Writer
from loadpath.http.response import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Bound what a pool holds for one origin.

    Attributes:
        connections: Connections that are open or being made.
        idle: Open connections that carry nothing.
        idle_timeout: Seconds after which one that carries nothing is closed.
        waiting: Requests that wait for a connection; more are refused.
    """

    connections: int = 100
    idle: int = 100
    idle_timeout: float = 30.0
    waiting: int = 1_000

    def __post_init__(self) -> None:
        if self.connections < 1 or self.idle < 0 or self.waiting < 0:
            raise ValueError(f"connections must be at least 1, idle and waiting 0: {self}")
        if not self.idle_timeout > 0:
            raise ValueError(f"idle_timeout must be above 0 s, not {self.idle_timeout}")


class PoolSnapshot(msgspec.Struct, frozen=True):
    """Hold a pool's figures of one moment.

    Attributes:
        origins: Origins with a connection, or a request that waits for one.
        connections: Connections that are open or being made.
        idle: Open connections that carry nothing.
        waiting: Requests that wait for a connection.
        requests: Requests begun since the pool was made.
        connects: Connections made.
        reuses: Requests that an open connection took.
        retries: Requests sent again because an open connection turned out to be closed.
        refused: Requests refused because too many waited.
        closed: Connections closed.
    """

    origins: int
    connections: int
    idle: int
    waiting: int
    requests: int
    connects: int
    reuses: int
    retries: int
    refused: int
    closed: int


class _Places:
    """Hold the connections of one origin; hears what becomes of each."""

    __slots__ = ("count", "evicted", "idle", "open", "origin", "pool", "waiters", "writer")

    def __init__(self, pool: "ConnectionPool", origin: Origin) -> None:
        self.pool = pool
        self.origin = origin
        self.writer = Writer(origin.authority)
        self.count = 0
        self.evicted = False
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # in the order in which they became free
        self.waiters: deque[asyncio.Future[Connection | None]] = deque()

    def take(self) -> Connection | None:
        """Return the connection that became free last, None when there is none."""
        idle = self.idle
        while idle:
            connection, _ = idle.popitem()
            if connection.is_free:
                return connection
            connection.abort()
        return None

    def admit(self, connection: Connection) -> None:
        """Begin to hear of a connection that was made for a place."""
        self.open.add(connection)
        connection.keeper = self

    def freed(self, connection: Connection) -> None:
        """Pass a free connection on, or keep it."""
        if self.evicted:
            connection.abort()
        elif not self._hand_over(connection):
            if len(self.idle) >= self.pool.limits.idle:
                connection.abort()
                return
            self.idle[connection] = None
            self.pool.note_idle(connection)

    def lost(self, connection: Connection) -> None:
        """Free the place of a connection that is gone."""
        self.open.discard(connection)
        self.idle.pop(connection, None)
        self.pool.note_lost(connection)
        self.give_up_place()

    def ended(self, connection: Connection) -> None:
        """Learn that nothing of a connection is left."""
        self.pool.note_ended(connection)

    def give_up_place(self) -> None:
        """Free a place: whoever waits longest may make a connection."""
        if not self._hand_over(None):
            self.count -= 1
            if self.count == 0:
                self.pool.forget(self)

    def close_idle(self) -> None:
        """Close the connections that carry nothing."""
        for connection in list(self.idle):
            connection.abort()

    def close_expired(self, before: float) -> None:
        """Close the connections that carry nothing since before a moment."""
        for connection in list(self.idle):
            if connection.idle_since > before:
                break
            connection.abort()

    def _hand_over(self, connection: Connection | None) -> bool:
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False


class ConnectionPool:
    """Send requests over connections that are kept; an async context manager.

    It belongs to the event loop that its first request runs in.

    Args:
        limits: What it may hold for each origin.
        tls: Settings of TLS; None verifies servers against the system's authorities.
        timeouts: Bounds of the waits of a request that names none.
        message_limits: How large the parts of a response may be.
    """

    def __init__(
        self,
        *,
        limits: PoolLimits | None = None,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts = TIMEOUTS,
        message_limits: Limits = LIMITS,
    ) -> None:
        self.limits = limits or PoolLimits()
        self.timeouts = timeouts
        self._tls = tls
        self._message_limits = message_limits
        self._places: dict[Origin, _Places] = {}
        self._evicted: set[_Places] = set()
        self._ending: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self._requests = self._connects = self._reuses = 0
        self._retries = self._refused = self._gone = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def request(
        self, origin: Origin, request: Request, *, timeouts: Timeouts | None = None
    ) -> Response:
        """Send a request and return its response as soon as the head is there.

        Args:
            origin: Whom to ask.
            request: What to ask.
            timeouts: Bounds of the waits, None for the pool's.

        Raises:
            ConnectError: No connection could be made: nothing was sent.
            PoolFullError: Too many requests wait for a connection: nothing was sent.
            PoolTimeoutError: No connection came free in time: nothing was sent.
            PoolClosedError: The pool is closed: nothing was sent.
            ResponseLostError: The connection ended before a response head came: in doubt.
            ResponseTimeoutError: The head did not come in time: in doubt.
            ResponseInvalidError: What came is no response: in doubt.
            ValueError: The request cannot be sent as it is.
        """
        places = self._places.get(origin)
        writer = places.writer if places else Writer(origin.authority)
        sending = writer.write(request)
        if timeouts is None:
            timeouts = self.timeouts
        deadline = timeouts.total
        if deadline < math.inf:
            deadline += asyncio.get_running_loop().time()
        self._requests += 1
        connection = places.take() if places else None
        if connection is None:
            connection = await self._acquire(origin, timeouts, deadline)
        else:
            self._reuses += 1
        try:
            return await connection.carry(sending, timeouts, deadline)
        except ResponseLostError as error:
            if not (connection.stale and connection.exchanges > 1 and request.is_repeatable):
                raise
            lost = error
        self._retries += 1
        if places:
            places.close_idle()  # they have been idle for longer than the one that was closed
        try:
            connection = await self._acquire(origin, timeouts, deadline)
        except RejectedError as error:
            raise lost from error  # sent once: it is in doubt, although not sent again
        return await connection.carry(sending, timeouts, deadline)

    def evict(self, origin: Origin) -> None:
        """Keep no connection to an origin: idle ones are closed now, others after their request."""
        places = self._places.pop(origin, None)
        if places is not None:
            places.evicted = True
            if places.count:
                self._evicted.add(places)
            places.close_idle()

    async def aclose(self) -> None:
        """Close every connection, whatever it carries, and refuse whoever waits."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        everywhere = [*self._places.values(), *self._evicted]
        connections = [each for places in everywhere for each in places.open]
        for places in everywhere:
            places.evicted = True
            for waiter in places.waiters:
                if not waiter.done():
                    waiter.set_exception(PoolClosedError("the pool was closed"))
            places.waiters.clear()
        for connection in connections:
            connection.abort()
        for connection in list(self._ending):
            await connection.wait_ended()

    def snapshot(self) -> PoolSnapshot:
        """Return the figures of this moment."""
        everywhere = [*self._places.values(), *self._evicted]
        return PoolSnapshot(
            origins=sum(places.count > 0 for places in everywhere),
            connections=sum(places.count for places in everywhere),
            idle=sum(len(places.idle) for places in everywhere),
            waiting=sum(len(places.waiters) for places in everywhere),
            requests=self._requests,
            connects=self._connects,
            reuses=self._reuses,
            retries=self._retries,
            refused=self._refused,
            closed=self._gone,
        )

    # What an origin's places tell.

    def now(self) -> float:
        """Return the loop's time (s)."""
        assert self._loop is not None
        return self._loop.time()

    def note_idle(self, connection: Connection) -> None:
        """Learn that a connection carries nothing from now on."""
        connection.idle_since = self.now()
        if self._sweep is None and self.limits.idle_timeout < math.inf:
            self._sweep_in(self.limits.idle_timeout)

    def note_lost(self, connection: Connection) -> None:
        """Count a connection that is gone; something of it may go on for a moment."""
        self._gone += 1
        self._ending.add(connection)

    def note_ended(self, connection: Connection) -> None:
        """Forget a connection of which nothing is left."""
        self._ending.discard(connection)

    def forget(self, places: _Places) -> None:
        """Drop an origin without connections and requests."""
        self._evicted.discard(places)
        if self._places.get(places.origin) is places:
            del self._places[places.origin]

    # How a connection is come by.

    def _begin(self, origin: Origin) -> _Places:
        if self._closed:
            raise PoolClosedError("the pool is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        places = self._places.get(origin)
        if places is None:
            places = self._places[origin] = _Places(self, origin)
        return places

    async def _acquire(self, origin: Origin, timeouts: Timeouts, deadline: float) -> Connection:
        """Make a connection where there is a place, or wait for one."""
        places = self._begin(origin)
        until = min(deadline, self.now() + timeouts.pool)
        while places.count >= self.limits.connections:
            connection = await self._wait_in_line(places, until)
            if connection is None:
                return await self._make(places, timeouts, deadline)
            if connection.is_free:
                self._reuses += 1
                return connection
            places = self._begin(origin)  # the connection was lost, perhaps with all others
        places.count += 1
        return await self._make(places, timeouts, deadline)

    async def _wait_in_line(self, places: _Places, until: float) -> Connection | None:
        """Return a free connection, or None for a place to make one."""
        if len(places.waiters) >= self.limits.waiting:
            self._refused += 1
            raise PoolFullError(f"{self.limits.waiting} requests wait for {places.origin} already")
        assert self._loop is not None
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        places.waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until if until < math.inf else None):
                return await waiter
        except BaseException as error:
            self._leave_line(places, waiter)
            if isinstance(error, TimeoutError):
                raise PoolTimeoutError(f"no connection to {places.origin} came free") from error
            raise

    def _leave_line(self, places: _Places, waiter: "asyncio.Future[Connection | None]") -> None:
        """Pass on what was handed over to somebody who is gone."""
        if not waiter.done() or waiter.cancelled():
            with suppress(ValueError):
                places.waiters.remove(waiter)
        elif waiter.exception() is None:
            connection = waiter.result()
            if connection is None:
                places.give_up_place()
            elif connection.is_free:
                places.freed(connection)

    async def _make(self, places: _Places, timeouts: Timeouts, deadline: float) -> Connection:
        """Make a connection for a place that is held; without one, the place is free again."""
        try:
            connection = await connect(
                places.origin,
                tls=self._tls,
                timeout=min(timeouts.connect, deadline - self.now()),
                limits=self._message_limits,
            )
        except BaseException:
            places.give_up_place()
            raise
        self._connects += 1
        places.admit(connection)
        if self._closed:
            connection.abort()
            raise PoolClosedError("the pool was closed")
        if not connection.is_free:
            raise ConnectError(f"{places.origin} closed the connection at once")
        return connection

    # How idle connections end.

    def _sweep_in(self, seconds: float) -> None:
        assert self._loop is not None
        self._sweep = self._loop.call_later(seconds, self._on_sweep)

    def _on_sweep(self) -> None:
        self._sweep = None
        before = self.now() - self.limits.idle_timeout
        for places in list(self._places.values()):
            places.close_expired(before)
        oldest = [next(iter(each.idle)).idle_since for each in self._places.values() if each.idle]
        if oldest:
            self._sweep_in(min(oldest) - before)
