"""The one call path: resolver, bulkhead, picker, health, breaker, pool, retry or hedge.

It makes none of its parts do another's work: whoever builds an upstream hands them in (the guide's
loose coupling, chapter 1), and what is not handed in has the defaults that its own room gives it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from ssl import SSLContext
from types import TracebackType
from typing import Self

from loadpath.balance import ActiveChecker, Balancer, Endpoint
from loadpath.core.backoff import Backoff
from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import RejectedError
from loadpath.core.ports import Events
from loadpath.http import ConnectionPool, Request, Timeouts
from loadpath.http.response import MOST_READ
from loadpath.resilience import (
    BreakerPolicy,
    Bulkhead,
    Deadline,
    Hedge,
    Place,
    RetryBudget,
    RetryPolicy,
)
from loadpath.upstream.call import Call, HttpCall, T
from loadpath.upstream.dispatch import Answered, Dispatch
from loadpath.upstream.doors import Doors
from loadpath.upstream.errors import call_error
from loadpath.upstream.follower import Follower
from loadpath.upstream.place import take_place
from loadpath.upstream.resolvers.resolver import Resolver
from loadpath.upstream.resolvers.static import StaticResolver
from loadpath.upstream.response import Answer, Field, Response
from loadpath.upstream.snapshot import UpstreamSnapshot, endpoint_snapshots

Fields = Mapping[str, str] | Sequence[Field]

RETRY = RetryPolicy(backoff=Backoff(base=0.025, cap=1.0))
"""How a call is repeated unless it is told otherwise: up to three tries, soon.

Source: Envoy's base interval of 25 ms.
"""


class Upstream:
    """Call whichever endpoint of a service serves best, as an async context manager.

    Args:
        name: What errors, events and figures call it.
        resolver: Where its endpoints come from, or the endpoints themselves.
        balancer: Who picks and judges health; its set is the resolver's.
        checker: Active checks of that balancer, run while the upstream does; None for none.
        breaker: When an endpoint's breaker opens, None for no breakers.
        pool: Whose connections carry the calls; None for one of its own.
        retry: How often and how soon a call is repeated; None never.
        budget: Share of the calls that may be repeated; None for the default one.
        hedge: Sends late calls that may happen twice once more; None never.
        bulkhead: Bounds the calls under way, from before the pick to the end of the body.
        tls: Settings of TLS when the endpoints speak it; a pool that is handed in has its own.
        server_name: Name that their certificates must have, None for their hosts.
        host: What `Host` says unless a request says it, None for the endpoint.
        events: Who hears what happens.
        clock: Where the monotonic time comes from.
        random: Where chance comes from.

    Attributes:
        name: What errors, events and figures call it.
        balancer: Who picks; `set_server_health` of it takes an endpoint out by hand.
    """

    def __init__(
        self,
        name: str,
        resolver: Resolver | Iterable[Endpoint | str],
        *,
        balancer: Balancer | None = None,
        checker: ActiveChecker | None = None,
        breaker: BreakerPolicy | None = BreakerPolicy(),  # noqa: B008 - frozen
        pool: ConnectionPool | None = None,
        retry: RetryPolicy | None = RETRY,
        budget: RetryBudget | None = None,
        hedge: Hedge | None = None,
        bulkhead: Bulkhead | None = None,
        tls: SSLContext | None = None,
        server_name: str | None = None,
        host: str | None = None,
        events: Events | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        if not name:
            raise ValueError("name must not be empty: errors and events carry it")
        if isinstance(resolver, str):
            raise TypeError(f"resolver must be a resolver or a list of endpoints: [{resolver!r}]")
        if server_name is not None and tls is None:
            raise ValueError("server_name is checked over TLS only: give a tls context")
        clock = clock or SystemClock()
        self.name = name
        self.balancer = balancer or Balancer(clock=clock)
        self._now = clock.monotonic
        self._own_pool = pool is None
        self._pool = pool or ConnectionPool(tls=tls)
        self._bulkhead = bulkhead
        self._host = None if host is None else host.encode("ascii")
        self._checker = checker
        self._doors = Doors(
            breaker=breaker, tls=tls is not None, server_name=server_name, events=events
        )
        self._dispatch = Dispatch(
            name,
            balancer=self.balancer,
            doors=self._doors,
            pool=self._pool,
            retry=retry or RetryPolicy(tries=1),
            budget=budget or RetryBudget(),
            hedge=hedge,
            events=events,
            clock=clock,
            random=random or Random(),  # noqa: S311 - jitter is no secret
        )
        self._follower = Follower(
            name,
            resolver if isinstance(resolver, Resolver) else StaticResolver(resolver),
            balancer=self.balancer,
            doors=self._doors,
            pool=self._pool,
            events=events,
        )
        self._running: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError(f"{self.name} runs already, or did: make another one")
        self._running = AsyncExitStack()
        async with AsyncExitStack() as stack:
            if self._own_pool:
                await stack.enter_async_context(self._pool)
            await stack.enter_async_context(self._follower)
            if self._checker is not None:
                await stack.enter_async_context(self._checker)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            await self._running.aclose()

    async def request(
        self,
        method: str,
        target: str,
        *,
        fields: Fields = (),
        body: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - becomes the deadline of every attempt
        timeouts: Timeouts | None = None,
        key: str | bytes | None = None,
        cookie: str | None = None,
        idempotent: bool | None = None,
        most: int = MOST_READ,
    ) -> Answer:
        """Send a request and return its whole answer, whatever its status.

        Args:
            method: Such as `GET`.
            target: Path and query.
            fields: Header fields.
            body: The body.
            timeout: Seconds for everything, repetitions included; None for the present deadline.
            timeouts: Bounds of the waits of each attempt, None for the pool's.
            key: What it is about, for policies by hash.
            cookie: Value of the sticky cookie that came with it.
            idempotent: Whether it may happen twice; None asks the method.
            most: Bytes that the body of the answer may have.

        Raises:
            UpstreamUnavailableError: No endpoint could be asked: nothing was sent.
            UpstreamInDoubtError: It was sent and not answered.
            UpstreamFailedError: The answer broke off.
            BodyTooLargeError: The answer is larger than `most`.
            ValueError: The request cannot be sent as it is.
        """
        response = await self.send(
            self._request(method, target, fields, body),
            timeout=timeout,
            timeouts=timeouts,
            key=key,
            cookie=cookie,
            idempotent=idempotent,
        )
        whole = await response.read(most=most)
        return Answer(response.status, response.fields, whole, response.endpoint, response.attempts)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        *,
        fields: Fields = (),
        body: bytes | AsyncIterator[bytes] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - becomes the deadline of every attempt
        timeouts: Timeouts | None = None,
        key: str | bytes | None = None,
        cookie: str | None = None,
        idempotent: bool | None = None,
    ) -> AsyncIterator[Response]:
        """Send a request, perhaps piece by piece, and give its answer as it comes.

        A body in pieces is read once: after it was begun, the call is not repeated. Arguments and
        errors are those of `request`.
        """
        response = await self.send(
            self._request(method, target, fields, body),
            timeout=timeout,
            timeouts=timeouts,
            key=key,
            cookie=cookie,
            idempotent=idempotent,
        )
        try:
            yield response
        finally:
            response.close()

    async def send(
        self,
        request: Request,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - becomes the deadline of every attempt
        timeouts: Timeouts | None = None,
        key: str | bytes | None = None,
        cookie: str | None = None,
        idempotent: bool | None = None,
    ) -> Response:
        """Send a request of `http` as it is; close or read what it returns.

        The path under `request`, `stream`, the adapters and the gateway. Arguments and errors are
        those of `request`.
        """
        call = HttpCall(
            request,
            pool=self._pool,
            timeouts=timeouts,
            repeatable=_repeatable(request, idempotent=idempotent),
            key=key,
            cookie=cookie,
            deadline=self._deadline(timeout),
        )
        deliver = self._dispatch.deliver if self._bulkhead is None else self.deliver
        answered = await deliver(call)
        return Response(answered, upstream=self.name, attempts=call.attempts)

    async def deliver(self, call: Call[T]) -> Answered[T]:
        """Bring a call of any kind to an endpoint; whoever asks settles the answer's attempt.

        Raises:
            UpstreamError: No answer came.
        """
        if self._bulkhead is None:
            return await self._dispatch.deliver(call)
        place = await self._take_place(self._bulkhead, call.deadline)
        try:
            answered = await self._dispatch.deliver(call)
        except BaseException:
            place.leave()
            raise
        answered.place = place
        return answered

    def snapshot(self) -> UpstreamSnapshot:
        """Return the figures of this moment."""
        tally = self._dispatch.tally
        return UpstreamSnapshot(
            name=self.name,
            generation=self.balancer.generation,
            problem=self._follower.problem,
            calls=tally.calls,
            attempts=tally.attempts,
            repeated=tally.repeated,
            failed=tally.failed,
            endpoints=endpoint_snapshots(self.balancer, self._doors),
            bulkhead=None if self._bulkhead is None else self._bulkhead.snapshot(),
            pool=self._pool.snapshot(),
        )

    def _request(
        self,
        method: str,
        target: str,
        fields: Fields,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> Request:
        written = list(_written(fields))
        if self._host is not None and not any(name.lower() == b"host" for name, _ in written):
            written.insert(0, (b"Host", self._host))
        return Request(_ascii("method", method), _ascii("target", target), written, body)

    def _deadline(self, timeout: float | None) -> float:
        at = Deadline.current().at
        if timeout is None:
            return at
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 s, not {timeout}")
        return min(at, self._now() + timeout)

    async def _take_place(self, bulkhead: Bulkhead, deadline: float) -> Place:
        try:
            return await take_place(bulkhead, deadline)
        except RejectedError as error:
            raise call_error(
                error, upstream=self.name, endpoint=None, attempts=0, sent=False
            ) from error


def _repeatable(request: Request, *, idempotent: bool | None) -> bool:
    if idempotent is None:
        return request.is_repeatable
    return idempotent and (request.body is None or isinstance(request.body, bytes))


def _written(fields: Fields) -> Iterable[Field]:
    if isinstance(fields, Mapping):
        return [(_ascii("a field's name", k), v.encode("latin-1")) for k, v in fields.items()]
    return fields


def _ascii(what: str, text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(f"{what} must be ASCII, quoted where needed: {text[:100]!r}") from None
