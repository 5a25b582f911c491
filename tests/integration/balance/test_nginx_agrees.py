"""A real nginx, given the same servers and the same clients, picks what ours picks."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from loadpath.balance import Endpoint, IPHash, Ketama, Member, Picker, SmoothWeighted
from loadpath.local import nginx
from loadpath.local.nginx_server import Nginx
from loadpath.local.ports import free_ports

WEIGHTS = (5, 1, 1, 3)


def configuration(ports: list[int]) -> tuple[str, str]:
    """Return nginx's server block and what stands beside it."""
    servers = [f"server 127.0.0.1:{p} weight={w};" for p, w in zip(ports, WEIGHTS, strict=True)]
    listed = "\n".join(servers)
    http = f"""
    upstream turns {{ zone turns 64k; {listed} }}
    upstream addresses {{ ip_hash; {listed} }}
    upstream ring {{ hash $arg_key consistent; {listed} }}
    server {{
        {" ".join(f"listen 127.0.0.1:{port};" for port in ports)}
        return 200 $server_port;
    }}
    """
    server = """
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Client;
    location /turns { proxy_pass http://turns; }
    location /addresses { proxy_pass http://addresses; }
    location /ring { proxy_pass http://ring; }
    """
    return server, http


@pytest.fixture(scope="module")
async def proxy() -> AsyncIterator[tuple[Nginx, list[int]]]:
    """Run an nginx with four servers behind it, all in one process."""
    ports = free_ports(len(WEIGHTS))
    server, http = configuration(ports)
    async with nginx(server=server, http=http) as running:
        yield running, ports


async def ask(server: Nginx, paths: list[tuple[str, str]]) -> list[int]:
    """Return the ports that answer, over one connection: path and client of each request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    ports = []
    for path, client in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Client: {client}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        ports.append(int(await reader.readexactly(length)))
    writer.close()
    await writer.wait_closed()
    return ports


def ours(picker: Picker, ports: list[int], keys: list[bytes | None]) -> list[int]:
    """Return the ports that ours picks."""
    members = [
        Member(Endpoint(host="127.0.0.1", port=port, weight=weight))
        for port, weight in zip(ports, WEIGHTS, strict=True)
    ]
    picker.update(members)
    return [picker.pick(0.0, key, ()).endpoint.port for key in keys]


async def test_weighted_round_robin(proxy: tuple[Nginx, list[int]]) -> None:
    """Three periods in nginx's order; other workers share its state through the zone."""
    server, ports = proxy
    answered = await ask(server, [("/turns", "10.0.0.1")] * 30)
    assert answered == ours(SmoothWeighted(), ports, [None] * 30)


async def test_ip_hash(proxy: tuple[Nginx, list[int]]) -> None:
    """Three hundred clients of IPv4 and fifty of IPv6 go where ours sends them."""
    server, ports = proxy
    chance = Random(1)
    clients = [".".join(str(chance.randrange(256)) for _ in range(4)) for _ in range(300)]
    clients += [f"2001:db8::{chance.randrange(1, 65_536):x}" for _ in range(50)]
    answered = await ask(server, [("/addresses", client) for client in clients])
    assert answered == ours(IPHash(), ports, [client.encode() for client in clients])
    assert len(set(answered)) == 4


async def test_consistent_hash(proxy: tuple[Nginx, list[int]]) -> None:
    """Three hundred keys lie on nginx's ring as on ours."""
    server, ports = proxy
    keys = [f"user-{number}" for number in range(300)]
    answered = await ask(server, [(f"/ring?key={key}", "10.0.0.1") for key in keys])
    ring = Ketama(Random(1), bound=None, layout="nginx")
    assert answered == ours(ring, ports, [key.encode() for key in keys])
    assert len(set(answered)) == 4
