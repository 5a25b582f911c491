"""TLS end to end: an upstream, and httpx over our transport, verify names."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from loadpath.http import ConnectionPool, Origin
from loadpath.upstream import HttpxTransport, Upstream, UpstreamUnavailableError
from tests.contracts.mirror_server import mirror
from tests.faults.http.servers import serving
from tests.integration.http.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only this test run knows."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def over_tls(context: ssl.SSLContext) -> AsyncIterator[Origin]:
    """Run a server over TLS that tells what it was asked."""
    async with serving(mirror, tls=context) as origin:
        yield origin


async def test_an_upstream_over_tls(authority: Authority) -> None:
    """The name in the certificate is checked: the given one, or the endpoint's."""
    async with over_tls(authority.serving("orders.internal")) as origin:
        endpoints, tls = [f"127.0.0.1:{origin.port}"], authority.trusting()
        async with Upstream("orders", endpoints, tls=tls, server_name="orders.internal") as orders:
            for _ in range(5):
                assert (await orders.request("GET", "/")).status == 200
            assert orders.snapshot().pool.connects == 1
        async with Upstream("orders", endpoints, tls=tls, retry=None) as orders:
            with pytest.raises(UpstreamUnavailableError, match="certificate"):
                await orders.request("GET", "/")


async def test_httpx_over_tls(authority: Authority) -> None:
    """A trusted server answers; another authority's is a ConnectError."""
    async with over_tls(authority.serving("127.0.0.1")) as origin:
        async with (
            ConnectionPool(tls=authority.trusting()) as pool,
            httpx.AsyncClient(transport=HttpxTransport(pool=pool)) as client,
        ):
            for _ in range(3):
                assert (await client.get(str(origin))).status_code == 200
            extensions = {"sni_hostname": "other.internal"}
            with pytest.raises(httpx.ConnectError):
                await client.get(str(origin), extensions=extensions)
        async with httpx.AsyncClient(transport=HttpxTransport()) as client:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get(str(origin))
