"""One request on its way through the gateway, and what is answered to it.

Filters see an `Exchange` before its upstream is asked and the head of the answer before it goes
out. They are made once for each route when settings are read, so that a request pays for those of
its own route only.
"""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from loadpath.http.heads import RequestHead

Field = tuple[bytes, bytes]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Say who sent a request.

    Attributes:
        name: `sub` of the token, or name of the API key.
        by: What proved it: a `[jwt.NAME]`, or `api_keys`.
        scopes: What it may do.
        roles: What it is.
        claims: All claims of the token.
    """

    name: str
    by: str
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: dict[str, object] = {}


class Exchange(msgspec.Struct, kw_only=True):
    """Hold one request while it is served.

    Attributes:
        head: As the client sent it.
        client: Address of the client, behind trusted proxies the one they tell.
        scheme: `http` or `https`, as the client used it.
        host: What it asked, in lower case and without a port.
        path: Its path, decoded as far as matching needs and without the query.
        request_id: Its id, the client's own where it sent a good one.
        fields: Header fields that the upstream will see; filters may change them.
        principal: Who sent it, once known.
    """

    head: RequestHead
    client: str
    scheme: str
    host: str
    path: str
    request_id: str
    fields: list[Field]
    principal: Principal | None = None


class AnswerHead(msgspec.Struct, kw_only=True):
    """Hold the head of an answer before it goes out; filters may change it.

    Attributes:
        status: Status code.
        fields: Header fields, framing left out: whoever writes the answer adds it.
        length: Size of the body (bytes), None when it is not known before.
    """

    status: int
    fields: list[Field]
    length: int | None = None


class Pieces(Protocol):
    """Give a body piece by piece; whoever holds a `Reply` closes it, read to its end or not."""

    def __aiter__(self) -> "Pieces": ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Let go of what the rest would have come from."""
        ...


class Reply(msgspec.Struct, kw_only=True):
    """Hold a whole answer of the gateway's own.

    Attributes:
        head: Its head.
        body: Its body, whole or in pieces as they come.
    """

    head: AnswerHead
    body: bytes | Pieces = b""


class Transform(Protocol):
    """Change the body of one answer as it passes."""

    def feed(self, piece: bytes) -> bytes:
        """Return what a piece becomes; empty when nothing is ready."""
        ...

    def end(self) -> bytes:
        """Return what is left at the end."""
        ...


class Filter(Protocol):
    """Take part in the requests of one route."""

    def enter(self, exchange: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Look at a request before its upstream is asked; a `Reply` answers it at once.

        Only a filter that must wait (for keys, for a shared count) returns an awaitable.
        """
        ...

    def leave(self, exchange: Exchange, head: AnswerHead) -> Transform | None:
        """Look at the head of the answer, a `Reply` of another filter included."""
        ...
