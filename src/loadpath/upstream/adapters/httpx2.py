"""Give `httpx2.AsyncClient` the call path: `httpx2.AsyncClient(transport=Httpx2Transport(…))`."""

from types import ModuleType
from typing import ClassVar

from loadpath.upstream.adapters.seam import Body, Here, Transport
from loadpath.upstream.errors import ExtraMissingError

try:
    import httpx2
except ModuleNotFoundError as error:
    raise ExtraMissingError("Httpx2Transport", "httpx2") from error


class _Body(Body, httpx2.AsyncByteStream):
    """Be a body that httpx2 reads."""

    module: ClassVar[ModuleType] = httpx2


class _Here(Here, httpx2.Response):
    """Be a response of httpx2 whose body is here."""


class Httpx2Transport(Transport, httpx2.AsyncBaseTransport):
    """Carry the requests of an `httpx2.AsyncClient`; see `seam.Transport`."""

    module: ClassVar[ModuleType] = httpx2
    body: ClassVar[type[Body]] = _Body
    here: ClassVar[type[Here]] = _Here
