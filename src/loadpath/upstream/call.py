"""One call on its way: what it asks, where it was tried, and how it may be tried again."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import replace
from math import inf
from time import time
from typing import Generic, Protocol, TypeVar

import msgspec

from loadpath.balance import Endpoint
from loadpath.http import ConnectionPool, Request, Response, Timeouts
from loadpath.resilience import HEADER, Deadline, parse_retry_after
from loadpath.upstream.door import Door

_HEADER = HEADER.encode("ascii")


class Carried(Protocol):
    """Be the head of an answer."""

    @property
    def status(self) -> int:
        """Status code."""
        ...

    def close(self) -> None:
        """Give up what has not come yet."""
        ...


T = TypeVar("T", bound=Carried)


class Call(ABC, Generic[T]):
    """Hold one call; a kind of it knows how to ask an endpoint.

    Args:
        repeatable: Whether it may be sent again although it may have arrived.
        key: What it is about, for policies by hash.
        cookie: Value of the sticky cookie that came with it.
        deadline: Until when an answer is wanted (monotonic s).

    Attributes:
        tried: Endpoints that it was tried at.
        attempts: How often it was tried.
        address: Where it was tried last.
        sent: Whether an endpoint may have acted.
        begun: Whether a body in pieces was begun, which can be read once only.
    """

    __slots__ = (
        "address",
        "attempts",
        "begun",
        "cookie",
        "deadline",
        "key",
        "repeatable",
        "sent",
        "tried",
    )

    def __init__(
        self,
        *,
        repeatable: bool,
        key: str | bytes | None = None,
        cookie: str | None = None,
        deadline: float = inf,
    ) -> None:
        self.repeatable = repeatable
        self.key = key
        self.cookie = cookie
        self.deadline = deadline
        self.tried: Sequence[Endpoint] = ()
        self.attempts = 0
        self.address: str | None = None
        self.sent = False
        self.begun = False

    def try_at(self, door: Door) -> None:
        """Note that an attempt begins."""
        self.attempts += 1
        self.address = door.address
        self.tried = (*self.tried, door.endpoint)

    @abstractmethod
    async def carry(self, door: Door, remaining: float) -> T:
        """Ask an endpoint and return the head of its answer within `remaining` (s)."""

    @abstractmethod
    def retry_after(self, answer: T) -> float | None:
        """Return the wait that an answer asks for (s), None when it asks for none."""


class HttpCall(Call[Response]):
    """Hold a request of HTTP on its way.

    Args:
        request: What to ask.
        pool: Whose connections carry it.
        timeouts: Bounds of the waits, None for the pool's.
        repeatable: Whether it may be sent again although it may have arrived.
        key: What it is about, for policies by hash.
        cookie: Value of the sticky cookie that came with it.
        deadline: Until when an answer is wanted (monotonic s).
    """

    __slots__ = ("_pool", "_request", "_timeouts")

    def __init__(
        self,
        request: Request,
        *,
        pool: ConnectionPool,
        timeouts: Timeouts | None,
        repeatable: bool,
        key: str | bytes | None,
        cookie: str | None,
        deadline: float,
    ) -> None:
        super().__init__(repeatable=repeatable, key=key, cookie=cookie, deadline=deadline)
        if not (request.body is None or isinstance(request.body, bytes)):
            request = msgspec.structs.replace(request, body=_Pieces(self, request.body))
        self._request = request
        self._pool = pool
        self._timeouts = timeouts

    async def carry(self, door: Door, remaining: float) -> Response:
        """Send the request, with the time that is left where a deadline is set."""
        request, timeouts = self._request, self._timeouts
        if remaining < inf:
            request = _with_deadline(request, remaining)
            timeouts = timeouts or self._pool.timeouts
            timeouts = replace(timeouts, total=min(timeouts.total, remaining))
        return await self._pool.request(door.origin, request, timeouts=timeouts)

    def retry_after(self, answer: Response) -> float | None:
        """Return what the `Retry-After` field says."""
        value = answer.get(b"retry-after")
        return asked_wait(None if value is None else value.decode("latin-1"))


class _Pieces:
    """Be a body in pieces that tells its call when it is begun."""

    def __init__(self, call: HttpCall, body: AsyncIterable[bytes]) -> None:
        self._call = call
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._call.begun = True
        return aiter(self._body)


def asked_wait(value: str | None) -> float | None:
    """Return the wait that a `Retry-After` field asks for (s), None when there is none."""
    return None if value is None else parse_retry_after(value, time())


def _with_deadline(request: Request, remaining: float) -> Request:
    left = Deadline.after(remaining, 0.0).to_header(0.0)
    assert left is not None
    fields = [each for each in request.fields if each[0].lower() != _HEADER.lower()]
    return msgspec.structs.replace(request, fields=[*fields, (_HEADER, left.encode("ascii"))])
