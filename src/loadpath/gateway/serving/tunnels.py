"""Two connections joined after a switch of protocols: bytes pass both ways, at the slower's pace.

Source: RFC 9110 section 7.8 (Upgrade); RFC 6455 (WebSocket), whose frames nobody here looks at.
"""

import asyncio
from typing import cast


class Tunnel:
    """Pass bytes between two transports until both have ended, or nothing passes for too long.

    Args:
        one: A transport whose protocol has let go of it.
        other: The other one.
        idle: How long nothing may pass (s).
    """

    def __init__(self, one: asyncio.Transport, other: asyncio.Transport, *, idle: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = idle
        self._sides = (_Side(self, one), _Side(self, other))
        for side, peer in (self._sides, self._sides[::-1]):
            side.peer = peer
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(idle, self._look)

    async def run(self, from_one: bytes, from_other: bytes) -> None:
        """Pass on what came already and everything that comes; returns when it is over."""
        one, other = self._sides
        try:
            for side, first in ((one, from_one), (other, from_other)):
                side.transport.set_protocol(side)
                if first:
                    side.data_received(first)
            for side in self._sides:
                side.resume()
            await self._ended
        finally:
            self._timer.cancel()
            for side in self._sides:
                side.transport.abort()

    def passed(self) -> None:
        """Learn that something has passed."""
        self._last = self._loop.time()

    def side_ended(self) -> None:
        """Learn that one side is gone: what the other was sent goes out, no more comes."""
        for side in self._sides:
            side.transport.close()
        if all(side.is_lost for side in self._sides) and not self._ended.done():
            self._ended.set_result(None)

    def _look(self) -> None:
        left = self._last + self._idle - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        for side in self._sides:
            side.transport.abort()


class _Side(asyncio.Protocol):
    """Hold one end."""

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.peer: _Side = self
        self.has_ended = False
        self.is_lost = False
        self._tunnel = tunnel

    def resume(self) -> None:
        """Begin to read."""
        if not self.transport.is_closing() and not self.transport.is_reading():
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; told by some loops when a protocol is replaced."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._tunnel.passed()
        if not self.peer.is_lost:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass on that no more comes; the other way stays open where it can."""
        peer = self.peer.transport
        self.has_ended = True
        if self.peer.has_ended or peer.is_closing() or not self._half_closes():
            return False
        peer.write_eof()
        return True

    def _half_closes(self) -> bool:
        """Return whether one way can end before the other; over TLS it cannot."""
        return self.transport.can_write_eof() and self.peer.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self.is_lost = True
        self._tunnel.side_ended()

    def pause_writing(self) -> None:
        """Make the peer wait: this side takes no more."""
        if not self.peer.is_lost:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.peer.resume()
