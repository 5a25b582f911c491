"""Give `aiohttp.ClientSession` the call path, as a client middleware.

aiohttp has no transport to replace: its own connections carry the calls. The middleware picks the
endpoint of each attempt, judges it by the head of its answer, and repeats what may be repeated.
Bodies are not followed, and a call that aiohttp's `total` timeout ends says nothing about its
endpoint: set `sock_connect` and `sock_read` as well.

Source: aiohttp, "Client Middleware" (since 3.12).
"""

import asyncio
from math import inf

from loadpath.http import (
    ConnectError,
    ConnectTimeoutError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.http.request import IDEMPOTENT
from loadpath.resilience import Deadline
from loadpath.upstream.call import Call, asked_wait
from loadpath.upstream.door import Door
from loadpath.upstream.errors import ExtraMissingError, UpstreamError
from loadpath.upstream.upstream import Upstream

try:
    import aiohttp
    from aiohttp.payload import BytesPayload
except ModuleNotFoundError as error:
    raise ExtraMissingError("AiohttpMiddleware", "aiohttp") from error


class AiohttpMiddleware:
    """Send every request of a session to an upstream: `ClientSession(middlewares=[…])`.

    Args:
        upstream: Who picks, whatever host a request names; it stays the caller's.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Ask an endpoint, and another one when that is safe and may help.

        Raises:
            ClientConnectionError: No endpoint could be asked, or none answered.
            ServerTimeoutError: The same, because it took too long.
        """
        try:
            answered = await self._upstream.deliver(_Asking(request, handler))
        except UpstreamError as error:
            late = isinstance(error, TimeoutError)
            # No subclass that aiohttp itself would repeat the whole call after.
            kind = aiohttp.ServerTimeoutError if late else aiohttp.ClientConnectionError
            raise kind(str(error)) from error
        answered.settle()
        return answered.answer


class _Asking(Call[aiohttp.ClientResponse]):
    """Hold a request of aiohttp on its way."""

    __slots__ = ("_handler", "_request")

    def __init__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> None:
        whole = not request.body or isinstance(request.body, BytesPayload)
        super().__init__(
            repeatable=whole and request.method.encode("ascii") in IDEMPOTENT,
            deadline=Deadline.current().at,
        )
        self._request = request
        self._handler = handler

    async def carry(self, door: Door, remaining: float) -> aiohttp.ClientResponse:
        """Let aiohttp ask one endpoint."""
        origin, request = door.origin, self._request
        scheme = "https" if origin.tls else "http"
        request.url = request.url.with_scheme(scheme).with_host(origin.host).with_port(origin.port)
        try:
            async with asyncio.timeout(remaining if remaining < inf else None):
                return await self._handler(request)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            kind = ConnectTimeoutError if isinstance(error, TimeoutError) else ConnectError
            raise kind(str(error)) from error
        except TimeoutError as error:
            late = str(error) or "it did not answer before the deadline"
            raise ResponseTimeoutError(late) from error
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise ResponseLostError(str(error)) from error
        except aiohttp.ClientResponseError as error:
            raise ResponseInvalidError(str(error)) from error

    def retry_after(self, answer: aiohttp.ClientResponse) -> float | None:
        """Return what the `Retry-After` field says."""
        return asked_wait(answer.headers.get("Retry-After"))
