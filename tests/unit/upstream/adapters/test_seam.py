"""What the seam makes of a request of httpx: where it goes, how long it waits, what it owns."""

import gc
import weakref
from math import inf
from typing import Any

import httpx
import httpx2
import pytest

from loadpath.http import ConnectionPool, Origin, Timeouts
from loadpath.upstream import Httpx2Transport, HttpxTransport, Upstream
from loadpath.upstream.adapters.seam import _SOON, Here, _timeouts_of
from tests.contracts.mirror_server import mirroring


def request(url: str = "http://orders/", **extensions: object) -> httpx.Request:
    """Return a request as httpx hands it over."""
    return httpx.Request("GET", url, extensions=extensions)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, None),
        (
            {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0},
            Timeouts(connect=1.0, read=2.0, write=3.0, pool=4.0),
        ),
        (
            {"connect": None, "read": None, "write": None, "pool": None},
            Timeouts(connect=inf, read=inf, write=inf, pool=inf),
        ),
        ({"read": 0.0}, Timeouts(connect=inf, read=_SOON, write=inf, pool=inf)),
    ],
)
def test_timeouts(given: dict[str, float] | None, wanted: Timeouts | None) -> None:
    """None is no bound, 0 is over at once, nothing at all is the pool's own."""
    asked = request() if given is None else request(timeout=given)
    assert _timeouts_of(asked) == wanted


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a", Origin("a", 80)),
        ("http://a:81/x?y", Origin("a", 81)),
        ("https://a", Origin("a", 443, True)),
        ("https://[::1]:444/", Origin("::1", 444, True)),
        ("http://BÜCHER.example/", Origin("xn--bcher-kva.example", 80)),
    ],
)
def test_origins(url: str, origin: Origin) -> None:
    """Scheme, host and port as httpx understands them."""
    assert HttpxTransport(pool=ConnectionPool())._origin(request(url)) == origin


def test_a_name_for_tls() -> None:
    """`sni_hostname`, as in httpx."""
    asked = request("https://10.0.0.1/", sni_hostname="orders.internal")
    origin = HttpxTransport(pool=ConnectionPool())._origin(asked)
    assert origin == Origin("10.0.0.1", 443, True, "orders.internal")


def test_a_pool_belongs_to_the_upstream() -> None:
    """Both at once is refused: the upstream has one."""
    with pytest.raises(ValueError, match="pool"):
        HttpxTransport(Upstream("orders", []), pool=ConnectionPool())


async def test_it_closes_what_it_made_and_nothing_else() -> None:
    """A client that ends closes the transport's own pool; what was handed in stays open."""
    async with mirroring() as origin, ConnectionPool() as pool:
        async with httpx.AsyncClient(transport=HttpxTransport(pool=pool)) as client:
            await client.get(str(origin))
        assert pool.snapshot().idle == 1
        own = HttpxTransport()
        async with httpx.AsyncClient(transport=own) as client:
            await client.get(str(origin))
            assert own._pool is not None
            assert own._pool.snapshot().idle == 1
        assert own._pool.snapshot().connections == 0
        with pytest.raises(httpx.ConnectError, match="closed"):
            await own.handle_async_request(request(str(origin)))


class Another:
    """Be a response of a client that keeps what it read under another name."""

    is_closed = False
    is_stream_consumed = False

    async def aread(self) -> bytes:
        """Read the stream, as if nothing was there."""
        self.is_closed = self.is_stream_consumed = True
        return b"of the stream"


class AnotherHere(Here, Another):
    """Be one whose body is here."""


async def test_a_client_that_keeps_the_body_elsewhere_reads_its_stream() -> None:
    """What we know of its inside saves work and decides nothing."""
    response = AnotherHere()
    response.came = b"came"
    assert await response.aread() == b"of the stream"


@pytest.mark.parametrize(("module", "kind"), [(httpx, HttpxTransport), (httpx2, Httpx2Transport)])
async def test_a_response_that_was_read_leaves_no_cycle(module: Any, kind: Any) -> None:
    """It goes when the last one lets go of it, and needs no garbage collector."""
    async with mirroring() as origin, module.AsyncClient(transport=kind()) as client:
        response = await client.get(str(origin))
        left = weakref.ref(response)
        gc.disable()
        try:
            del response
            assert left() is None
        finally:
            gc.enable()
