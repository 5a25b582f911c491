"""The way of a request: who asks, which route, its filters, its upstream, and back.

There is one way for all: no request goes past routing, health, breakers, filters or figures. What
goes wrong becomes a problem document that passes the same filters back.
"""

from collections.abc import AsyncIterator, Callable
from random import Random
from time import time

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.gateway.exchange import AnswerHead, Exchange, Pieces, Reply, Transform
from loadpath.gateway.passing.clients import Told, TrustedProxies
from loadpath.gateway.passing.fields import client_fields, upstream_fields
from loadpath.gateway.passing.problems import GatewayError, problem_of
from loadpath.gateway.passing.requestid import request_id
from loadpath.gateway.passing.tracing import traceparent
from loadpath.gateway.routing.hosts import host_of
from loadpath.gateway.routing.paths import normalised
from loadpath.gateway.routing.table import Refusal, RouteTable
from loadpath.gateway.serving.accesslog import AccessLog, Entry
from loadpath.gateway.serving.connection import ClientConnection, ClientGoneError
from loadpath.gateway.serving.dates import DATES
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.gateway.serving.routes import LiveRoute
from loadpath.gateway.serving.services import Service
from loadpath.gateway.serving.tunnels import Tunnel
from loadpath.http import Request, RequestHead
from loadpath.http.fields import tokens_of
from loadpath.upstream import Response

WHOLE = 2**16
"""Bodies up to this size are read before an upstream is asked (bytes): they can be repeated."""

CLIENT_GONE = 499
"""What is logged where no answer was sent because the client is gone; nginx's number."""

_WITHOUT_BODY = frozenset({204, 304})
_SWITCHING = 101


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what one reading of the settings made; requests keep the one that they began with.

    Attributes:
        table: Finds routes.
        trusted: Knows whose word is taken.
        routes: Every route.
        services: Every upstream by name.
        tunnel: How long nothing may pass in a tunnel (s).
    """

    table: RouteTable[LiveRoute]
    trusted: TrustedProxies
    routes: tuple[LiveRoute, ...]
    services: dict[str, Service]
    tunnel: float


class _Passage:
    """Hold what is learnt of a request while it is served, for figures and log."""

    __slots__ = ("attempts", "endpoint", "entered", "exchange", "live", "route", "trace")

    def __init__(self, exchange: Exchange, live: Generation) -> None:
        self.exchange = exchange
        self.live = live
        self.route: LiveRoute | None = None
        self.entered = 0
        self.trace = b""
        self.endpoint = ""
        self.attempts = 0


class Plane:
    """Serve the requests of all connections of a process.

    Args:
        live: What the settings made.
        log: Where requests are logged, None for nowhere.
        clock: Where the monotonic time comes from.
        random: Where ids come from.

    Attributes:
        live: What the settings made; a reload replaces it.
        figures: Counts by route, that of no route under an empty name.
    """

    def __init__(
        self,
        live: Generation,
        *,
        log: AccessLog | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        self.live = live
        self.log = log
        self.figures = RouteFigures()
        self._now = (clock or SystemClock()).monotonic
        self._bits: Callable[[int], int] = (random or Random()).getrandbits  # noqa: S311 - ids keep no secret

    async def serve(self, connection: ClientConnection, head: RequestHead) -> None:
        """Answer one request."""
        started = self._now()
        live = self.live
        secure = "https" if connection.secure else "http"
        told = live.trusted.told(connection.neighbour, secure, head.index)
        exchange = Exchange(
            head=head,
            client=told.client,
            scheme=told.scheme,
            host="",
            path="",
            request_id=request_id(head.index.get(b"x-request-id"), self._bits),
            fields=[],
        )
        passage = _Passage(exchange, live)
        figures = self.figures
        try:
            if head.path == b"*":
                await self._reply(connection, passage, _options())
                return
            route = passage.route = self._route(live, exchange, _asked(told, head))
            figures = route.figures
            figures.under_way += 1
            connection.limit_body(route.most)
            reply = await self._enter(passage, route) if route.filters else None
            if reply is None and route.answerer is not None:
                made = route.answerer(exchange)
                reply = made if isinstance(made, Reply) else await made
            if reply is not None:
                await self._reply(connection, passage, reply)
            else:
                passage.trace, continued = traceparent(head.index.get(b"traceparent"), self._bits)
                exchange.fields += upstream_fields(
                    head,
                    told,
                    neighbour=connection.neighbour,
                    request_id=exchange.request_id,
                    trace=passage.trace,
                    continued=continued,
                )
                await self._pass_on(connection, passage, route)
        except ClientGoneError:
            connection.abort()
        except Exception as error:  # noqa: BLE001 - every error becomes an answer
            await self._answer_error(connection, passage, error)
        finally:
            if passage.route is not None:
                figures.under_way -= 1
            self._count(connection, passage, figures, self._now() - started)

    def refused(self, connection: ClientConnection, status: int) -> None:
        """Count and log what is no request."""
        self.figures.count(status, 0.0, 0)
        if self.log is not None:
            self.log.write(Entry(time=round(time(), 6), client=connection.neighbour, status=status))

    def _route(self, live: Generation, exchange: Exchange, authority: bytes) -> LiveRoute:
        """Return the route of a request.

        Raises:
            GatewayError: There is none.
            ProtocolError: Its path may not be.
        """
        head = exchange.head
        method = head.method.decode("ascii")
        exchange.host = host_of(authority)
        if method == "CONNECT":
            raise GatewayError(501, "CONNECT is not for a gateway: it knows its upstreams")
        if method == "TRACE":
            raise GatewayError(405, "TRACE would show the fields that the gateway adds")
        exchange.path = normalised(head.path.partition(b"?")[0].decode("ascii"))
        found = live.table.find(exchange.host, exchange.path, method, head.index)
        if isinstance(found, Refusal):
            raise _refusal(found, method)
        if method == "OPTIONS" and head.index.get(b"max-forwards") == b"0":
            raise GatewayError(405, "Max-Forwards is 0, and the gateway has no options to tell")
        return found

    # Before the upstream.

    async def _enter(self, passage: _Passage, route: LiveRoute) -> Reply | None:
        """Let the filters look; returns the answer of the first that has one."""
        for each in route.filters:
            passage.entered += 1
            reply = each.enter(passage.exchange)
            if reply is not None and not isinstance(reply, Reply):
                reply = await reply
            if reply is not None:
                return reply
        return None

    async def _pass_on(
        self, connection: ClientConnection, passage: _Passage, route: LiveRoute
    ) -> None:
        """Ask an upstream, and pass its answer back."""
        assert route.split is not None
        exchange = passage.exchange
        head = exchange.head
        body = await self._body(connection, head) if head.length else None
        request = self._request(exchange, route, body)
        service = route.split.next()
        if route.mirror is not None:
            route.mirror.copy(exchange, request)
        cookie = None
        if service.sticky is not None:
            cookie = service.sticky.read(head.index.get(b"cookie", b"").decode("latin-1"))
        service.calls += 1
        try:
            response = await service.upstream.send(
                request,
                timeout=service.total,
                key=None if service.key is None else service.key(exchange),
                cookie=cookie,
            )
            passage.endpoint = response.endpoint
            passage.attempts = response.attempts
            try:
                await self._pass_back(connection, passage, service, response, cookie)
            finally:
                response.close()
        finally:
            service.calls -= 1

    def _request(
        self, exchange: Exchange, route: LiveRoute, body: bytes | AsyncIterator[bytes] | None
    ) -> Request:
        """Return what the upstream is asked."""
        head, fields = exchange.head, exchange.fields
        if route.request_rules:
            fields = route.request_rules.apply(fields)
        host = route.host or head.authority
        if host:
            fields.insert(0, (b"Host", host))
        if b"upgrade" in head.index and (switch := route.may_switch(head)) is not None:
            fields += ((b"Connection", b"Upgrade"), (b"Upgrade", switch))
        elif b"te" in head.index and b"trailers" in tokens_of(head.index[b"te"]):
            fields += ((b"Connection", b"TE"), (b"TE", b"trailers"))
        if head.length > 0 and not isinstance(body, bytes):
            fields.append((b"Content-Length", b"%d" % head.length))
        return Request(head.method, self._target(exchange, route), fields, body)

    async def _body(
        self, connection: ClientConnection, head: RequestHead
    ) -> bytes | AsyncIterator[bytes]:
        """Return the body: whole where it is small, so that it can be sent again."""
        if connection.has_whole_body or 0 < head.length <= WHOLE:
            return await connection.read_body()
        return connection.pieces()

    def _target(self, exchange: Exchange, route: LiveRoute) -> bytes:
        """Return what is asked: the path that was matched, never another form of it."""
        path = exchange.path
        if route.rewriting.changes:
            path = route.rewriting.path(path)
        _, mark, query = exchange.head.path.partition(b"?")
        return b"%b?%b" % (path.encode("ascii"), query) if mark else path.encode("ascii")

    # Back.

    async def _pass_back(
        self,
        connection: ClientConnection,
        passage: _Passage,
        service: Service,
        response: Response,
        cookie: str | None,
    ) -> None:
        exchange = passage.exchange
        head = response.head
        if head.status == _SWITCHING:
            await self._tunnel(connection, passage, response)
            return
        answer = AnswerHead(status=head.status, fields=client_fields(head))
        if b"date" not in head.index:
            answer.fields.append(DATES.field())
        if service.sticky is not None and cookie != service.sticky.value(response.endpoint):
            answer.fields.append(
                (b"Set-Cookie", service.sticky.set_cookie(response.endpoint).encode())
            )
        length = head.index.get(b"content-length")
        if exchange.head.method == b"HEAD" or head.status in _WITHOUT_BODY:
            answer.length = None if length is None else int(length)
            self._leave(passage, answer)
            connection.answer(answer, b"")
        elif response.done and not _passes_trailer(exchange, response):
            body = await response.read()
            answer.length = len(body)
            transforms = self._leave(passage, answer)
            for each in transforms:
                body = each.feed(body) + each.end()
            answer.length = len(body)
            connection.answer(answer, body)
        else:
            answer.length = None if length is None else int(length)
            await self._stream(connection, passage, answer, response)

    async def _stream(
        self,
        connection: ClientConnection,
        passage: _Passage,
        answer: AnswerHead,
        response: Response,
    ) -> None:
        """Pass a body back as it comes, at the pace of the slower side."""
        transforms = self._leave(passage, answer)
        if transforms:
            answer.length = None
        connection.begin(answer)
        while piece := await response.read_some():
            if transforms:
                piece = _fed(transforms, piece)
            await connection.write(piece)
        if transforms:
            await connection.write(_rest(transforms))
        connection.finish(response.trailer if _passes_trailer(passage.exchange, response) else ())

    async def _tunnel(
        self, connection: ClientConnection, passage: _Passage, response: Response
    ) -> None:
        """Join both connections after a switch of protocols."""
        fields = client_fields(response.head)
        protocol = response.head.index.get(b"upgrade", b"")
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", protocol))
        fields.append((b"X-Request-Id", passage.exchange.request_id.encode()))
        upstream, from_upstream = response.detach()
        client, from_client = connection.switch(fields)
        try:
            await Tunnel(client, upstream, idle=passage.live.tunnel).run(from_client, from_upstream)
        finally:
            connection.released()

    def _leave(self, passage: _Passage, answer: AnswerHead) -> list[Transform]:
        """Let the filters look at the answer, the last to enter first."""
        exchange, route = passage.exchange, passage.route
        transforms: list[Transform] = []
        if route is not None and (passage.entered or route.response_rules):
            for each in reversed(route.filters[: passage.entered]):
                transform = each.leave(exchange, answer)
                if transform is not None:
                    transforms.append(transform)
            if route.response_rules:
                answer.fields = route.response_rules.apply(answer.fields)
        answer.fields.append((b"X-Request-Id", exchange.request_id.encode()))
        return transforms

    async def _reply(self, connection: ClientConnection, passage: _Passage, reply: Reply) -> None:
        """Send an answer of our own through the filters."""
        body = reply.body
        if isinstance(body, bytes):
            self._reply_whole(connection, passage, reply.head, body)
            return
        try:
            await self._reply_pieces(connection, passage, reply.head, body)
        finally:
            await body.aclose()

    def _reply_whole(
        self, connection: ClientConnection, passage: _Passage, answer: AnswerHead, body: bytes
    ) -> None:
        answer.fields.append(DATES.field())
        transforms = self._leave(passage, answer)
        if passage.exchange.head.method == b"HEAD" or answer.status in _WITHOUT_BODY:
            connection.answer(answer, b"")
            return
        for each in transforms:
            body = each.feed(body) + each.end()
        if transforms or answer.length is None:
            answer.length = len(body)
        connection.answer(answer, body)

    async def _reply_pieces(
        self, connection: ClientConnection, passage: _Passage, answer: AnswerHead, body: Pieces
    ) -> None:
        answer.fields.append(DATES.field())
        transforms = self._leave(passage, answer)
        if transforms:
            answer.length = None
        connection.begin(answer)
        async for piece in body:
            await connection.write(_fed(transforms, piece) if transforms else piece)
        if transforms:
            await connection.write(_rest(transforms))
        connection.finish()

    async def _answer_error(
        self, connection: ClientConnection, passage: _Passage, error: Exception
    ) -> None:
        """Send what went wrong, unless an answer was begun: then it is cut, so that it shows."""
        if connection.is_gone:
            return
        if connection.answered:
            connection.abort()
            return
        reply = problem_of(error, request_id=passage.exchange.request_id)
        await self._reply(connection, passage, reply)

    # What is kept of it.

    def _count(
        self,
        connection: ClientConnection,
        passage: _Passage,
        figures: RouteFigures,
        seconds: float,
    ) -> None:
        status = connection.answered or CLIENT_GONE
        figures.count(status, seconds, connection.sent)
        if self.log is None:
            return
        exchange = passage.exchange
        head, index = exchange.head, exchange.head.index
        self.log.write(
            Entry(
                time=round(time() - seconds, 6),
                id=exchange.request_id,
                trace=passage.trace[3:35].decode(),
                client=exchange.client,
                principal="" if exchange.principal is None else exchange.principal.name,
                method=head.method.decode("latin-1"),
                scheme=exchange.scheme,
                host=exchange.host,
                target=head.target.decode("latin-1"),
                status=status,
                sent=connection.sent,
                seconds=round(seconds, 6),
                route="" if passage.route is None else passage.route.name,
                endpoint=passage.endpoint,
                attempts=passage.attempts,
                agent=index.get(b"user-agent", b"").decode("latin-1"),
                referer=index.get(b"referer", b"").decode("latin-1"),
            )
        )


def _asked(told: Told, head: RequestHead) -> bytes:
    """Return the host and port that are asked.

    Raises:
        GatewayError: Nobody can say who asks.
    """
    if told.disputed:
        raise GatewayError(400, "Forwarded and X-Forwarded-For name different clients")
    return told.authority or head.authority


def _passes_trailer(exchange: Exchange, response: Response) -> bool:
    """Return whether the answer has a trailer that the client wants."""
    return bool(response.trailer) and b"trailers" in tokens_of(exchange.head.index.get(b"te", b""))


def _options() -> Reply:
    """Answer `OPTIONS *`: what is asked is the gateway, which takes whatever its routes take."""
    return Reply(head=AnswerHead(status=204, fields=[]))


def _refusal(refusal: Refusal, method: str) -> GatewayError:
    if not refusal.allow:
        return GatewayError(404, "no route takes this host and path")
    allow = ", ".join(refusal.allow)
    return GatewayError(
        405, f"{method} is not for this path: {allow}", fields=((b"Allow", allow.encode()),)
    )


def _fed(transforms: list[Transform], piece: bytes) -> bytes:
    for each in transforms:
        piece = each.feed(piece)
    return piece


def _rest(transforms: list[Transform]) -> bytes:
    """Return what transforms still hold, each one's rest passed through those after it."""
    rest = b""
    for each in transforms:
        rest = (each.feed(rest) if rest else b"") + each.end()
    return rest
