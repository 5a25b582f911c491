"""A response whose head has come: its body is read as it comes, all at once, or not at all."""

import asyncio
import warnings
from collections import deque
from contextlib import suppress
from typing import Protocol

from loadpath.http.errors import BodyLostError, BodyTooLargeError
from loadpath.http.fields import Field
from loadpath.http.heads import ResponseHead
from loadpath.http.pieces import Pieces

MOST_READ = 64 * 2**20
"""Largest body that `read` holds in memory unless it is told otherwise (bytes)."""


class Carrier(Protocol):
    """Bring a response; what it needs of its connection."""

    def taken(self, held: int) -> None:
        """Learn that a piece was taken and how many bytes are held still."""
        ...

    def body_awaited(self) -> "asyncio.Future[None]":
        """Return a future for the next piece of the body; the wait is bounded."""
        ...

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Hand over the transport after a switch of protocols."""
        ...

    def abort(self) -> None:
        """Close it now."""
        ...


class Response(Pieces):
    """Hold one response; an async context manager that leaves no connection half read.

    A response that is read to its end gives its connection back by itself. One that is left before
    that closes its connection: the rest of the body must not meet the next request.

    Attributes:
        head: Status, reason and fields.
        trailer: Fields that came after a chunked body, once it is whole.
        done: Whether the body is whole, read or not.
    """

    __slots__ = (
        "__weakref__",
        "_connection",
        "_error",
        "_held",
        "_pieces",
        "_waiter",
        "done",
        "head",
        "trailer",
    )

    def __init__(self, head: ResponseHead, connection: Carrier) -> None:
        self.head = head
        self.trailer: tuple[Field, ...] = ()
        self.done = False
        self._connection: Carrier | None = connection
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    @property
    def status(self) -> int:
        """Status code."""
        return self.head.status

    @property
    def fields(self) -> list[Field]:
        """Header fields in the order and case they came in."""
        return self.head.fields

    def get(self, name: bytes) -> bytes | None:
        """Return a field's value, None when it is not there; `name` in lower case."""
        return self.head.index.get(name)

    def __del__(self) -> None:
        if self._connection is not None:
            with suppress(RuntimeError):  # the loop is closed, and the connection with it
                self.close()
            warnings.warn(
                "a response was neither read nor closed; use `async with`",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    async def read(self, *, most: int = MOST_READ) -> bytes:
        """Return what is left of the body.

        Args:
            most: Bytes that it may have.

        Raises:
            BodyTooLargeError: It has more; the connection is closed.
            BodyLostError: The connection ended, or the body broke its framing.
            BodyTimeoutError: It did not come in time.
        """
        if self.done and self._connection is None and self._held <= most:
            return self._rest()
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read_some():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                self.close()
                raise BodyTooLargeError(
                    f"the body has more than {most} bytes; read it piece by piece"
                )
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read_some(self) -> bytes:
        """Return the next piece of the body, empty at its end.

        Raises:
            BodyLostError: The connection ended, or the body broke its framing.
            BodyTimeoutError: The piece did not come in time.
            RuntimeError: Somebody else is reading this response.
        """
        while not self._pieces:
            if self.done:
                return b""
            if self._error is not None:
                raise self._error
            await self._more()
        piece = self._pieces.popleft()
        self._held -= len(piece)
        if self._connection is not None:
            self._connection.taken(self._held)
        return piece

    def close(self) -> None:
        """Give up what has not come yet; the connection of an unfinished response is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.fail(BodyLostError("the response was closed before its end"))
            connection.abort()

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Hand over the connection of a response that switched protocols (101, CONNECT).

        Returns:
            The transport, paused: set a protocol of your own, then resume reading. And the bytes
            that came already.

        Raises:
            RuntimeError: The connection still speaks HTTP.
        """
        connection = self._connection
        if connection is None:
            raise RuntimeError("this connection was not switched to another protocol")
        handed = connection.detach()
        self._connection = None
        return handed

    def push(self, piece: bytes) -> int:
        """Take a piece that came; returns the bytes held now. For the connection."""
        self._pieces.append(piece)
        self._held += len(piece)
        self._wake()
        return self._held

    def finish(self, trailer: tuple[Field, ...]) -> None:
        """Learn that the body is whole. For the connection."""
        self.done = True
        self.trailer = trailer
        self._wake()

    def release(self) -> None:
        """Let go of the connection, which is somebody else's now. For the connection."""
        self._connection = None

    def fail(self, error: Exception) -> None:
        """Learn that no more will come. For the connection."""
        self._connection = None
        if not self.done and self._error is None:
            self._error = error
            self._wake()

    def _rest(self) -> bytes:
        """Take all that is held."""
        pieces = self._pieces
        rest = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._held = 0
        return rest

    async def _more(self) -> None:
        """Wait until something has come."""
        if self._waiter is not None:
            raise RuntimeError("somebody else is reading this response")
        assert self._connection is not None
        self._waiter = self._connection.body_awaited()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
