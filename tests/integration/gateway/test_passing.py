"""Requests through a real gateway to real backends: what arrives there, and what comes back."""

import asyncio
import hashlib
import json
import zlib
from contextlib import AsyncExitStack

import msgspec
import pytest

from loadpath.gateway.gateway import Gateway
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.faults.gateway.stage import (
    Backend,
    ask,
    assert_nothing_held,
    between,
    get,
    port_of,
    settings_for,
    split,
    talk,
    until,
)


async def test_any_depth_of_path_reaches_the_service() -> None:
    """No fixed depth; the query passes as it is; the path is the one that was matched."""
    async with between(
        route={"match": {"prefix": "/api"}, "rewrite": {"prefix": "/v2", "host": "orders.internal"}}
    ) as (gateway, backend):
        for path in (
            "/api",
            "/api/user",
            "/api/user/profile/photo/7?x=%2F..&y",
            "/x/%2e%2e/api//a",
        ):
            assert (await ask(gateway, get(path)))[0] == 200
        targets = [head.split(b" ")[1] for head in backend.heads]
    assert targets == [b"/v2", b"/v2/user", b"/v2/user/profile/photo/7?x=%2F..&y", b"/v2/a"]
    assert all(b"Host: orders.internal\r\n" in head for head in backend.heads)


async def test_no_route_is_404_and_no_method_405() -> None:
    """As problem documents."""
    match = {"exact": "/a", "methods": ["GET", "PUT"]}
    async with between(route={"match": match}) as (gateway, _):
        status, _, body = await ask(gateway, get("/b"))
        assert (status, json.loads(body)["title"]) == (404, "Not Found")
        status, head, _ = await ask(gateway, get("/a", method="POST"))
        assert status == 405
        assert b"Allow: GET, PUT\r\n" in head + b"\r\n"


async def test_one_trace_and_one_id_from_client_to_upstream() -> None:
    """The client's are continued, and the answer tells the id."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with between() as (gateway, backend):
        _, head, _ = await ask(
            gateway,
            get("/", f"traceparent: 00-{trace}-b7ad6b7169203331-01", "X-Request-Id: mine-1"),
        )
        assert b"X-Request-Id: mine-1\r\n" in head + b"\r\n"
    sent = backend.heads[0]
    assert f"traceparent: 00-{trace}-".encode() in sent
    assert b"b7ad6b7169203331" not in sent
    assert b"X-Request-Id: mine-1\r\n" in sent
    assert b"X-Real-IP: 127.0.0.1\r\n" in sent


async def test_trusted_proxies_tell_the_client() -> None:
    """The loopback address is one here."""
    async with between(trusted_proxies=["127.0.0.0/8"]) as (gateway, backend):
        await ask(
            gateway, get("/", "X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https")
        )
    assert b"X-Real-IP: 192.0.2.7\r\n" in backend.heads[0]
    assert b"X-Forwarded-For: 6.6.6.6, 192.0.2.7, 127.0.0.1\r\n" in backend.heads[0]
    assert b"X-Forwarded-Proto: https\r\n" in backend.heads[0]


async def test_connections_to_upstreams_are_kept() -> None:
    """Erratum: the guide's nginx opens one for each request."""
    async with between() as (gateway, backend):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
        for _ in range(20):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        assert backend.open == 1
        pool = gateway.plane.live.services["api"].upstream.snapshot().pool
        assert (pool.connects, pool.reuses) == (1, 19)
        writer.close()


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
async def test_bodies_of_any_size_pass_both_ways(size: int, *, chunked: bool) -> None:
    """Whole or streamed, with a length or in chunks."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    if chunked:
        pieces = [body[at : at + 50_000] for at in range(0, size, 50_000)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
        fields = "Transfer-Encoding: chunked"
    else:
        framed, fields = body, f"Content-Length: {size}"
    async with between(limits={"body": 4_000_000}) as (gateway, backend):
        status, _, came = await ask(gateway, get("/", fields, method="POST") + framed)
        assert status == 200
        assert backend.bodies[0] == body
        assert came == body


async def test_weighted_targets_share_the_requests() -> None:
    """Nine to one, and a canary for whoever asks for it."""
    stable, canary = Backend(), Backend()
    async with AsyncExitStack() as stack:
        for each in (stable, canary):
            await stack.enter_async_context(each.serving())
        settings = settings_for(stable)
        document = msgspec.json.decode(msgspec.json.encode(settings))
        document["upstreams"]["canary"] = {"endpoints": [{"address": canary.address}]}
        both = [{"upstream": "api", "weight": 9}, {"upstream": "canary", "weight": 1}]
        document["routes"] = [
            {"name": "all", "targets": both},
            {
                "name": "asked",
                "match": {"headers": {"X-Canary": "1"}},
                "targets": [{"upstream": "canary"}],
            },
        ]
        gateway = await stack.enter_async_context(
            Gateway(msgspec.convert(document, GatewaySettings))
        )
        for _ in range(20):
            await ask(gateway, get())
        assert (len(stable.heads), len(canary.heads)) == (18, 2)
        await ask(gateway, get("/", "X-Canary: 1"))
        assert len(canary.heads) == 3


async def test_a_mirror_gets_copies_and_nobody_waits_for_it() -> None:
    """Its answers are dropped, its failures too."""
    shadow = Backend()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shadow.read(reader)
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")

    shadow._handler = slow
    backend = Backend()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shadow.serving())
        await stack.enter_async_context(backend.serving())
        settings = settings_for(backend, route={"mirror": {"upstream": "shadow"}})
        document = msgspec.json.decode(msgspec.json.encode(settings))
        document["upstreams"]["shadow"] = {"endpoints": [{"address": shadow.address}]}
        gateway = Gateway(msgspec.convert(document, GatewaySettings))
        async with gateway:
            request = get("/", "Content-Length: 2", method="POST") + b"hi"
            async with asyncio.timeout(0.25):
                assert (await ask(gateway, request))[0] == 200
            await until(lambda: bool(shadow.bodies))
            assert shadow.bodies == [b"hi"]
            assert gateway.generations.figures["all"].mirrored == 1
        assert_nothing_held(gateway)


async def test_a_sticky_cookie_brings_clients_back() -> None:
    """To the endpoint that served them first."""
    one, other = Backend(), Backend()
    async with one.serving(), other.serving():
        endpoints = [{"address": one.address}, {"address": other.address}]
        async with between(upstream={"endpoints": endpoints, "sticky": {"cookie": "at"}}) as (
            gateway,
            _,
        ):
            _, head, _ = await ask(gateway, get())
            cookie = head.partition(b"Set-Cookie: ")[2].partition(b";")[0].decode()
            assert cookie.startswith("at=")
            before = (len(one.heads), len(other.heads))
            for _ in range(5):
                _, head, _ = await ask(gateway, get("/", f"Cookie: x=1; {cookie}"))
                assert b"Set-Cookie" not in head
            after = (len(one.heads), len(other.heads))
    assert sorted(b - a for a, b in zip(before, after, strict=True)) == [0, 5]


async def test_a_tunnel_passes_bytes_both_ways() -> None:
    """After a 101 nobody looks at them; each side's end is the other's."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Upgrade: websocket\r\n" in head
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: x\r\n\r\nfirst"
        )
        while data := await reader.read(65_536):
            writer.write(data.upper())
            await writer.drain()

    async with between(shout) as (gateway, backend):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
            b"Upgrade: websocket\r\n\r\nearly"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Upgrade: websocket\r\n" in head
        assert b"Sec-WebSocket-Accept: x\r\n" in head
        assert await reader.readexactly(10) == b"firstEARLY"
        data = bytes(range(97, 123)) * 40_000
        writer.write(data)
        assert await reader.readexactly(len(data)) == data.upper()
        writer.write_eof()
        assert await reader.read(-1) == b""
        writer.close()
        await until(lambda: not backend.open and not len(gateway.connections))


@pytest.mark.parametrize("who", ["client", "upstream", "nobody"])
async def test_a_tunnel_ends_with_either_side_or_when_nothing_passes(who: str) -> None:
    """And leaves nothing."""
    gone = asyncio.Event()

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\n")
        if who != "upstream":
            await reader.read(-1)
        gone.set()

    async with between(switch, timeouts={"tunnel": 0.3}) as (gateway, backend):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        if who == "client":
            writer.transport.abort()
        else:
            assert await reader.read(-1) == b""
        async with asyncio.timeout(5):
            await gone.wait()
        await until(lambda: not backend.open and not len(gateway.connections))
        writer.close()


async def test_a_fixed_answer_and_a_redirect() -> None:
    """Without any upstream."""
    respond = {"status": 308, "location": "https://shop.example.com/", "body": "moved"}
    async with between(route={"targets": [], "respond": respond}) as (gateway, backend):
        status, head, body = await ask(gateway, get())
        assert (status, body) == (308, b"moved")
        assert b"Location: https://shop.example.com/\r\n" in head
        status, head, body = await ask(gateway, get(method="HEAD"))
        assert (status, body) == (308, b"")
        assert b"Content-Length: 5" in head
    assert backend.heads == []


async def test_rules_change_fields_both_ways() -> None:
    """Set and removed."""
    route = {
        "request_headers": {"set": {"X-Team": "a"}, "remove": ["Cookie"]},
        "response_headers": {"set": {"Server": "gate"}, "remove": ["Date"]},
    }
    async with between(route=route) as (gateway, backend):
        _, head, _ = await ask(gateway, get("/", "Cookie: secret", "x-team: b"))
    assert b"X-Team: a\r\n" in backend.heads[0]
    assert b"secret" not in backend.heads[0]
    assert b"x-team: b" not in backend.heads[0]
    assert b"Server: gate" in head
    assert b"\r\nDate:" not in head


async def test_hash_policies_keep_a_key_at_its_endpoint() -> None:
    """By a header field here."""
    one, other = Backend(), Backend()
    async with one.serving(), other.serving():
        upstream = {
            "endpoints": [{"address": one.address}, {"address": other.address}],
            "policy": "maglev",
            "hash": {"source": "header", "name": "X-User"},
        }
        async with between(upstream=upstream) as (gateway, _):
            for user in range(10):
                for _ in range(3):
                    await ask(gateway, get("/", f"X-User: {user}"))
    users = [
        {head.partition(b"X-User: ")[2].partition(b"\r\n")[0] for head in each.heads}
        for each in (one, other)
    ]
    assert not users[0] & users[1]
    assert all(users)


async def test_reload_keeps_what_did_not_change() -> None:
    """Requests under way keep their settings; an upstream that is gone ends after its last."""
    waiting = asyncio.Event()
    go = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await old.read(reader)
        waiting.set()
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        await writer.drain()
        await reader.read(1)

    old, kept = Backend(slow), Backend()
    async with old.serving(), kept.serving():
        document = msgspec.json.decode(msgspec.json.encode(settings_for(kept)))
        document["upstreams"]["old"] = {"endpoints": [{"address": old.address}]}
        document["routes"].append(
            {"name": "old", "match": {"exact": "/old"}, "targets": [{"upstream": "old"}]}
        )
        gateway = Gateway(msgspec.convert(document, GatewaySettings))
        async with gateway:
            await ask(gateway, get())
            before = gateway.plane.live.services["api"]
            under_way = asyncio.create_task(ask(gateway, get("/old")))
            await waiting.wait()
            del document["upstreams"]["old"]
            document["routes"].pop()
            await gateway.reload(msgspec.convert(document, GatewaySettings))
            assert gateway.plane.live.services["api"] is before
            assert (await ask(gateway, get("/old")))[2] == b""
            go.set()
            assert (await under_way)[2] == b"old"
            await until(lambda: not old.open)
            document["upstreams"]["api"]["endpoints"].append({"address": old.address})
            await gateway.reload(msgspec.convert(document, GatewaySettings))
            assert gateway.plane.live.services["api"] is before
            await until(lambda: len(before.upstream.balancer.endpoints) == 2)
        assert_nothing_held(gateway)


async def test_a_reload_that_fails_leaves_the_old_settings() -> None:
    """Everything that can fail happens before anything is replaced."""
    async with between() as (gateway, _):
        live = gateway.plane.live
        document = msgspec.json.decode(msgspec.json.encode(gateway.settings))
        document["upstreams"]["api"] = {"discovery": {"file": "/nowhere/endpoints.toml"}}
        with pytest.raises(ValueError, match="nowhere"):
            await gateway.reload(msgspec.convert(document, GatewaySettings))
        assert gateway.plane.live is live
        assert (await ask(gateway, get()))[0] == 200


async def test_drain_tells_the_last_request_and_refuses_the_next() -> None:
    """An idle connection gets a moment; what is under way is finished."""
    backend = Backend()
    async with backend.serving():
        gateway = Gateway(settings_for(backend, timeouts={"drain": 3.0}))
        async with gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            draining = asyncio.create_task(gateway.drain())
            await asyncio.sleep(0.1)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"Connection: close" in await reader.readuntil(b"\r\n\r\n")
            await draining
            with pytest.raises(OSError, match=r"refused|failed"):
                await talk(gateway, get())
            writer.close()
        assert_nothing_held(gateway)


async def test_filters_take_part() -> None:
    """An API key, a limit and compression, each where it belongs."""
    keys = {"keys": [{"name": "shop", "sha256": hashlib.sha256(b"secret").hexdigest()}]}
    backend = Backend()
    backend._handler = backend.fixed
    text = b"compress me " * 500
    backend.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
        % (len(text), text)
    )
    route = {
        "authorise": {"by": ["api_keys"]},
        "compress": {"encodings": ["gzip"]},
        "rate_limit": {"limit": 1, "period": 60.0, "burst": 3, "key": "principal"},
        "cors": {"origins": ["https://app.example.com"]},
    }
    async with between(backend, route=route, api_keys=keys) as (gateway, _):
        status, head, _ = await ask(gateway, get("/", "Origin: https://app.example.com"))
        assert status == 401
        assert b"Access-Control-Allow-Origin: https://app.example.com" in head
        good = get("/", "X-API-Key: secret", "Accept-Encoding: gzip")
        status, head, body = await ask(gateway, good)
        assert status == 200
        assert b"Content-Encoding: gzip" in head
        assert len(body) < len(text) / 4
        statuses = [(await ask(gateway, good))[0] for _ in range(4)]
        assert statuses.count(429) == 2
    assert len(backend.heads) == 3


async def test_a_body_that_is_known_only_at_its_end_is_compressed_as_it_comes() -> None:
    """Each piece arrives when it was sent."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            writer.write(b"7\r\npiece %d\r\n" % number)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")

    async with between(drip, route={"compress": {"encodings": ["gzip"]}}) as (gateway, _):
        came = await talk(gateway, get("/", "Accept-Encoding: gzip"))
    _, head, body = split(came)
    assert b"Content-Encoding: gzip" in head
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            break
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    assert zlib.decompress(data, 31) == b"piece 0piece 1piece 2"
