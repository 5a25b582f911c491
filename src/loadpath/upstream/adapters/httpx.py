"""Give `httpx.AsyncClient` the call path: `httpx.AsyncClient(transport=HttpxTransport(…))`."""

from types import ModuleType
from typing import ClassVar

from loadpath.upstream.adapters.seam import Body, Transport
from loadpath.upstream.errors import ExtraMissingError

try:
    import httpx
except ModuleNotFoundError as error:
    raise ExtraMissingError("HttpxTransport", "httpx") from error


class _Body(Body, httpx.AsyncByteStream):
    """Be a body that httpx reads."""

    module: ClassVar[ModuleType] = httpx


class HttpxTransport(Transport, httpx.AsyncBaseTransport):
    """Carry the requests of an `httpx.AsyncClient`; see `seam.Transport`."""

    module: ClassVar[ModuleType] = httpx
    body: ClassVar[type[Body]] = _Body
