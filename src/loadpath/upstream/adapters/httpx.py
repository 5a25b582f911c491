"""Give `httpx.AsyncClient` the call path: `httpx.AsyncClient(transport=HttpxTransport(…))`."""

from types import ModuleType
from typing import ClassVar

from loadpath.upstream.adapters.seam import Body, Here, Transport
from loadpath.upstream.errors import ExtraMissingError

try:
    import httpx
except ModuleNotFoundError as error:
    raise ExtraMissingError("HttpxTransport", "httpx") from error


class _Body(Body, httpx.AsyncByteStream):
    """Be a body that httpx reads."""

    module: ClassVar[ModuleType] = httpx


class _Here(Here, httpx.Response):
    """Be a response of httpx whose body is here."""

    def let_go(self, came: bytes) -> None:
        """Leave httpx's stream, which leads back here: such a circle waits for the collector."""
        self.stream = httpx.ByteStream(came)


class HttpxTransport(Transport, httpx.AsyncBaseTransport):
    """Carry the requests of an `httpx.AsyncClient`; see `seam.Transport`."""

    module: ClassVar[ModuleType] = httpx
    body: ClassVar[type[Body]] = _Body
    here: ClassVar[type[Here]] = _Here
