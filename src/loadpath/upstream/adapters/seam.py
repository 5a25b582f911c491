"""The transport seam that httpx and httpx2 share, word by word; a subclass names its module.

Source: httpx, "Transports" (`AsyncBaseTransport`, the request's extensions).
"""

from collections.abc import AsyncIterator
from functools import lru_cache
from math import inf
from types import ModuleType
from typing import Any, ClassVar

from loadpath import http
from loadpath.core.errors import LoadpathError
from loadpath.http import ConnectionPool, Origin, Request, Timeouts, client_context
from loadpath.upstream.adapters.translation import httpx_name
from loadpath.upstream.response import Response
from loadpath.upstream.upstream import Upstream

_SOON = 1e-6
"""What a timeout of 0 becomes (s): it is over at once, as in httpx."""

_PORTS = {b"http": 80, b"https": 443}
_VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")


class Transport:
    """Carry the requests of a client over an upstream, or to the origins that they name.

    Args:
        upstream: Carries every request, whatever host it names; None: each goes to the host that
            it names, without balancing. It stays the caller's.
        pool: Connections for the latter; None for a pool of its own, closed with the transport.
    """

    module: ClassVar[ModuleType]
    body: ClassVar[type["Body"]]
    here: ClassVar[type["Here"]]

    def __init__(
        self, upstream: Upstream | None = None, *, pool: ConnectionPool | None = None
    ) -> None:
        if upstream is not None and pool is not None:
            raise ValueError("pool is for requests without an upstream: hand it to the upstream")
        self._upstream = upstream
        self._own = None
        if upstream is None and pool is None:
            self._own = pool = ConnectionPool(tls=client_context())
        self._pool = pool
        self._whole = self.module.ByteStream

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request and return its response, whose body may be still to come."""
        try:
            body = request.stream
            if isinstance(body, self._whole):
                body = request.read() or None  # waits for nothing
            sending, timeouts = _sending(request, body), _timeouts_of(request)
            if self._upstream is not None:
                response: http.Response | Response = await self._upstream.send(
                    sending, timeouts=timeouts
                )
            else:
                assert self._pool is not None
                origin = self._origin(request)
                response = await self._pool.request(origin, sending, timeouts=timeouts)
            whole = await response.read() if response.done else None
        except (LoadpathError, ValueError) as error:
            raise translated(self.module, error, request) from error
        return self._answer(response, whole, request)

    def _answer(self, response: http.Response | Response, whole: bytes | None, request: Any) -> Any:
        """Return a response of the client; a body that came with its head needs no stream of ours.

        One that must be decoded first takes the client's own way.
        """
        head = response.head
        here = whole is not None and b"content-encoding" not in head.index
        kind: Any = self.here if here else self.module.Response
        answer = kind(
            head.status,
            headers=head.fields,
            stream=self.body(response, request) if whole is None else self._whole(whole),
            extensions={"http_version": _VERSIONS[head.minor > 0], "reason_phrase": head.reason},
        )
        if here:
            answer.came = whole
        return answer

    async def aclose(self) -> None:
        """Close its own pool; what was handed in stays open."""
        if self._own is not None:
            await self._own.aclose()

    def _origin(self, request: Any) -> Origin:
        url = request.url
        scheme = url.raw_scheme
        if scheme not in _PORTS:
            message = f"the scheme must be http or https, not {url.scheme!r}"
            raise self.module.UnsupportedProtocol(message, request=request)
        return _origin(scheme, url.raw_host, url.port, request.extensions.get("sni_hostname"))


class Here:
    """Be a response whose body is here: reading it needs none of the client's streams.

    Those are four asynchronous generators, a tenth of what a small request costs. The client's own
    `aread` has the last word: where it does not find the body, it reads the stream.

    Attributes:
        came: The body, until it is read.
    """

    came: bytes | None = None
    is_closed: bool
    is_stream_consumed: bool
    stream: Any

    async def aread(self) -> bytes:
        """Read the body."""
        came, self.came = self.came, None
        if came is None or self.is_stream_consumed or self.is_closed:
            return await self._read()
        self._content = came
        self._num_bytes_downloaded = len(came)
        content = await self._read()
        if not self.is_closed:
            self.is_stream_consumed = self.is_closed = True
            await self.stream.aclose()  # tells the client how long all took
            self.let_go(came)
        return content

    def let_go(self, came: bytes) -> None:
        """Hold nothing of the client that leads back to this response; it was read."""

    async def _read(self) -> bytes:
        content: bytes = await super().aread()  # type: ignore[misc]
        return content


class Body:
    """Give the body of a response; errors become those of the client."""

    module: ClassVar[ModuleType]

    def __init__(self, response: http.Response | Response, request: Any) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give it piece by piece."""
        try:
            while piece := await self._response.read_some():
                yield piece
        except LoadpathError as error:
            raise translated(self.module, error, self._request) from error

    async def aclose(self) -> None:
        """Give up what has not come yet."""
        self._response.close()


def translated(module: ModuleType, error: Exception, request: Any) -> Exception:
    """Return the client's error that tells what ours does."""
    kind = getattr(module, httpx_name(error))
    made: Exception = kind(str(error), request=request)
    return made


def _sending(request: Any, body: Any) -> Request:
    """Return the request as `http` sends it."""
    return Request(request.method.encode("ascii"), request.url.raw_path, request.headers.raw, body)


def _timeouts_of(request: Any) -> Timeouts | None:
    given = request.extensions.get("timeout")
    if given is None:
        return None
    get = given.get
    return _timeouts(get("connect"), get("pool"), get("write"), get("read"))


@lru_cache(maxsize=256)
def _timeouts(
    connect: float | None, pool: float | None, write: float | None, read: float | None
) -> Timeouts:
    return Timeouts(
        connect=_seconds(connect), pool=_seconds(pool), write=_seconds(write), read=_seconds(read)
    )


def _seconds(given: float | None) -> float:
    return inf if given is None else given or _SOON


@lru_cache(maxsize=1024)
def _origin(scheme: bytes, host: bytes, port: int | None, name: str | None) -> Origin:
    return Origin(
        host.decode("ascii").strip("[]"), port or _PORTS[scheme], scheme == b"https", name
    )
