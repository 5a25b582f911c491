"""The admin API and page over HTTP: looking by GET, changing by POST only."""

from collections.abc import Sequence
from importlib import resources
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from loadpath.core.errors import LoadpathError
from loadpath.gateway.admin.exposition import MEDIA_TYPE, exposition
from loadpath.gateway.admin.guarding import check_host, check_origin
from loadpath.gateway.admin.models import GatewayStatus, routes_of
from loadpath.gateway.admin.openapi import Health, Outcome, document
from loadpath.gateway.exchange import AnswerHead, Field, Reply
from loadpath.gateway.orders import Action, WorkerFigures
from loadpath.gateway.passing.problems import GatewayError, problem, problem_of
from loadpath.gateway.serving.connection import ClientConnection
from loadpath.http import RequestHead

MOST_BODY = 4_096
_JSON: Field = (b"Content-Type", b"application/json")
_RULES: tuple[Field, ...] = (
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (
        b"Content-Security-Policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
)
_PAGE = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/page.js": ("page.js", b"text/javascript; charset=utf-8"),
}
_ACTIONS: dict[str, Action] = {"drain": "drain", "eject": "eject", "restore": "restore"}
_STEPS = 6  # of /api/upstreams/NAME/endpoints/ADDRESS/ACTION


class NoSuchEndpointError(LoadpathError, LookupError):
    """Report an order about an endpoint that no worker has."""


class Operated(Protocol):
    """Be a gateway that an operator looks at and changes."""

    async def figures(self) -> list[WorkerFigures]:
        """Return what every worker has counted."""
        ...

    def status(self, told: Sequence[WorkerFigures]) -> GatewayStatus:
        """Return everything of this moment."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether every worker serves, and the gateway is not about to end."""
        ...

    async def act(self, action: Action, upstream: str, address: str) -> int:
        """Do something with an endpoint in every worker; returns how many did it.

        Raises:
            NoSuchEndpointError: There is no such endpoint.
            LoadpathError: It cannot be done now.
        """
        ...

    async def reload(self) -> int:
        """Read the settings again; returns how many workers took them over.

        Raises:
            LoadpathError: They were refused.
        """
        ...


class AdminSite:
    """Answer an operator's requests.

    Args:
        gateway: What is looked at and changed.
        host: Host that it listens on.
    """

    def __init__(self, gateway: Operated, *, host: str) -> None:
        self._gateway = gateway
        self._host = host
        folder = resources.files(__package__) / "page"
        self._page = {
            path: ((folder / name).read_bytes(), kind) for path, (name, kind) in _PAGE.items()
        }

    def refused(self, connection: ClientConnection, status: int) -> None:
        """Learn that something that is no request was answered: nobody counts that here."""

    async def serve(self, connection: ClientConnection, head: RequestHead) -> None:
        """Answer one request."""
        try:
            check_host(head.authority, self._host)
            connection.limit_body(MOST_BODY)
            if head.length:
                await connection.read_body()
            reply = await self._answer(head)
        except LoadpathError as error:
            reply = problem_of(error)
        reply.head.fields += [
            each for each in _RULES if each[0] not in {name for name, _ in reply.head.fields}
        ]
        connection.reply(reply)

    async def _answer(self, head: RequestHead) -> Reply:
        path = head.path.partition(b"?")[0].decode("ascii")
        steps = path.split("/")[1:]
        if path == "/api/reload" or (
            len(steps) == _STEPS and steps[:2] == ["api", "upstreams"] and steps[3] == "endpoints"
        ):
            return await self._change(head, steps)
        if head.method not in (b"GET", b"HEAD"):
            known = path in self._page or path in _LOOKS
            raise _not_allowed("GET, HEAD") if known else _nothing()
        return await self._look(path)

    async def _look(self, path: str) -> Reply:
        if path in self._page:
            body, kind = self._page[path]
            return _reply(body, (b"Content-Type", kind))
        look = {
            "/live": self._live,
            "/ready": self._ready,
            "/openapi.json": self._document,
            "/api/gateway": self._status,
            "/metrics": self._metrics,
        }.get(path)
        if look is None:
            raise _nothing()
        return await look()

    async def _live(self) -> Reply:
        return _json(Health(status="live"))

    async def _ready(self) -> Reply:
        if self._gateway.is_ready:
            return _json(Health(status="ready"))
        return problem(503, "not every worker serves, or the gateway is about to end")

    async def _document(self) -> Reply:
        return _json(document())

    async def _status(self) -> Reply:
        return _json(self._gateway.status(await self._gateway.figures()))

    async def _metrics(self) -> Reply:
        told = await self._gateway.figures()
        text = exposition(self._gateway.status(told), routes_of(told), told)
        return _reply(text, (b"Content-Type", MEDIA_TYPE))

    async def _change(self, head: RequestHead, steps: Sequence[str]) -> Reply:
        if len(steps) == _STEPS and steps[5] not in _ACTIONS:
            raise _nothing()
        if head.method != b"POST":
            raise _not_allowed("POST")
        check_origin(head.index, head.authority)
        try:
            if len(steps) != _STEPS:
                return _json(Outcome(workers=await self._gateway.reload()))
            upstream, address = unquote(steps[2]), unquote(steps[4])
            done = await self._gateway.act(_ACTIONS[steps[5]], upstream, address)
            return _json(Outcome(workers=done))
        except NoSuchEndpointError as error:
            raise GatewayError(404, str(error)) from error
        except GatewayError:
            raise
        except LoadpathError as error:
            raise GatewayError(409, str(error)) from error


_LOOKS = frozenset({"/live", "/ready", "/openapi.json", "/api/gateway", "/metrics"})


def _json(document: Any) -> Reply:
    return _reply(msgspec.json.encode(document), _JSON)


def _reply(body: bytes, kind: Field) -> Reply:
    return Reply(head=AnswerHead(status=200, fields=[kind], length=len(body)), body=body)


def _nothing() -> GatewayError:
    return GatewayError(404, "nothing is here: see /openapi.json")


def _not_allowed(allow: str) -> GatewayError:
    return GatewayError(405, f"only {allow} here", fields=((b"Allow", allow.encode()),))
