"""An answer on its way to the caller: its end settles the attempt and gives the place back."""

import asyncio
from contextlib import suppress

import msgspec

from loadpath import http
from loadpath.http import BodyLostError, BodyTooLargeError
from loadpath.http.pieces import Pieces
from loadpath.http.response import MOST_READ
from loadpath.upstream.dispatch import Answered
from loadpath.upstream.errors import UpstreamError, body_error

Field = tuple[bytes, bytes]
SWITCHING_PROTOCOLS = 101


class Answer(msgspec.Struct, frozen=True):
    """Hold a whole answer.

    Attributes:
        status: Status code.
        fields: Header fields in the order and case they came in.
        body: The body.
        endpoint: Address of who answered.
        attempts: How often the call was tried, this time included.
    """

    status: int
    fields: list[Field]
    body: bytes
    endpoint: str
    attempts: int

    def get(self, name: str) -> str | None:
        """Return the value of the first field with this name, None when it is not there."""
        wanted = name.lower().encode("latin-1")
        for each, value in self.fields:
            if each.lower() == wanted:
                return value.decode("latin-1")
        return None


class Response(Pieces):
    """Hold an answer whose body comes; an async context manager that closes it.

    Args:
        answered: What `http` received, and who brought it.
        upstream: Name of the upstream.
        attempts: How often the call was tried.

    Attributes:
        attempts: How often the call was tried, this time included.
    """

    __slots__ = ("_answer", "_attempt", "_open", "_place", "_upstream", "attempts")

    def __init__(self, answered: Answered[http.Response], *, upstream: str, attempts: int) -> None:
        self._answer = answer = answered.answer
        self._attempt = answered.attempt
        self._place = answered.place
        self._upstream = upstream
        self.attempts = attempts
        self._open = True
        if answer.done and answer.status != SWITCHING_PROTOCOLS:
            self._end()

    @property
    def status(self) -> int:
        """Status code."""
        return self._attempt.status

    @property
    def done(self) -> bool:
        """Whether the body has come whole, read or not."""
        return self._answer.done

    @property
    def head(self) -> http.ResponseHead:
        """Status, reason and fields as they came."""
        return self._answer.head

    @property
    def fields(self) -> list[Field]:
        """Header fields in the order and case they came in."""
        return self._answer.head.fields

    @property
    def trailer(self) -> tuple[Field, ...]:
        """Fields that came after a chunked body, once it is whole."""
        return self._answer.trailer

    @property
    def endpoint(self) -> str:
        """Address of who answered."""
        return self._attempt.door.address

    def get(self, name: str) -> str | None:
        """Return a field's value, None when it is not there."""
        value = self._answer.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def __del__(self) -> None:
        if self._open:
            with suppress(RuntimeError):  # the loop is closed, and everything with it
                self._end()

    async def read(self, *, most: int = MOST_READ) -> bytes:
        """Return what is left of the body.

        Args:
            most: Bytes that it may have.

        Raises:
            UpstreamFailedError: The body broke off.
            BodyTooLargeError: It has more bytes; it is closed.
        """
        try:
            body = await self._answer.read(most=most)
        except BodyLostError as error:
            raise self._broken(error) from error
        except BodyTooLargeError:
            self._end()
            raise
        except asyncio.CancelledError as error:
            self._give_up(error)
            raise
        self._end()
        return body

    async def read_some(self) -> bytes:
        """Return the next piece of the body, empty at its end.

        Raises:
            UpstreamFailedError: The body broke off.
        """
        try:
            piece = await self._answer.read_some()
        except BodyLostError as error:
            raise self._broken(error) from error
        except asyncio.CancelledError as error:
            self._give_up(error)
            raise
        if self._answer.done:
            self._end()
        return piece

    def close(self) -> None:
        """Give up what has not come yet; its connection is closed with it."""
        self._answer.close()
        self._end()

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Hand over the connection of an answer that switched protocols (101).

        Raises:
            RuntimeError: The connection still speaks HTTP.
        """
        handed = self._answer.detach()
        self._end()
        return handed

    def _end(self) -> None:
        """Settle: the answer came whole, or nobody wants the rest."""
        if self._leave():
            self._attempt.answered()

    def _give_up(self, error: asyncio.CancelledError) -> None:
        """Settle: the caller was cancelled while it waited for more."""
        if self._leave():
            self._attempt.failed(error)

    def _broken(self, error: BodyLostError) -> UpstreamError:
        """Settle, and return what the reader is told."""
        if self._leave():
            self._attempt.failed(error)
        return body_error(
            error, upstream=self._upstream, endpoint=self.endpoint, attempts=self.attempts
        )

    def _leave(self) -> bool:
        """Give the place back; return whether it was held still."""
        held, self._open = self._open, False
        if held and self._place is not None:
            self._place.leave()
        return held
