"""Behaviour of written HAProxy files in a real HAProxy: traffic goes where the gateway's does."""

import asyncio
import json
import socket
import ssl
import subprocess
from collections import Counter, deque
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadpath.export import NotExpressibleError, to_haproxy
from loadpath.gateway.gateway import Gateway
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Listener
from tests.integration.export.programs import (
    HAPROXY,
    Backend,
    Client,
    backends,
    client,
    free_port,
    haproxy,
    needs_haproxy,
)
from tests.integration.http.certificates import Authority
from tests.unit.export.documents import EVERYTHING_IN_HAPROXY
from tests.unit.export.settings_walk import fields, with_other

pytestmark = needs_haproxy


def checked(folder: Path, document: dict[str, Any]) -> None:
    """Demand that `haproxy -c` takes a file without a word of warning."""
    assert HAPROXY is not None
    file = folder / "haproxy.cfg"
    file.write_text(to_haproxy(msgspec.convert(document, GatewaySettings)))
    done = subprocess.run(
        [HAPROXY, "-c", "-f", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, (document, done.stderr)
    assert not done.stderr, (document, done.stderr)


def test_the_real_haproxy_takes_everything_that_can_be_said(tmp_path: Path) -> None:
    """`haproxy -c` says so."""
    checked(tmp_path, EVERYTHING_IN_HAPROXY)


def test_the_real_haproxy_takes_every_field(tmp_path: Path) -> None:
    """With each of them changed in turn, where it can be said at all."""
    Authority(tmp_path).serving("a.example.com")
    pem = str(tmp_path / "a.example.com.pem")
    places = ("listeners[].tls[].certificate", "listeners[].tls[].key", "upstreams.*.tls.ca")
    tried = set()
    for path, kind in fields():
        for each in with_other(path, kind, "haproxy"):
            text = json.dumps(each)
            if text in tried:
                continue
            tried.add(text)
            for name in ("/etc/a.pem", "/etc/a.key", "/etc/ca.pem"):
                text = text.replace(f'"{name}"', json.dumps(pem))
            if path in places:
                text = text.replace('"other"', json.dumps(pem))
            document = json.loads(text)
            try:
                to_haproxy(msgspec.convert(document, GatewaySettings))
            except NotExpressibleError:
                continue
            checked(tmp_path, document)


def test_the_real_haproxy_takes_awkward_names_and_values(tmp_path: Path) -> None:
    """Names that look like options, empty values, long lists, and a server by TLS."""
    networks = [f"10.{each}.0.0/16" for each in range(200)]
    document = {
        "upstreams": {
            "-f": {"endpoints": [{"address": "[::1]:1"}], "tls": {"server_name": "a.example.com"}},
            "if": {"endpoints": [{"address": "127.0.0.1:1"}], "policy": "ip_hash"},
        },
        "routes": [
            {
                "name": "-i",
                "match": {"exact": "/-i", "headers": {"X-A": "-f", "X-B": "a'b \\ \" # $x %[x]"}},
                "targets": [{"upstream": "-f"}, {"upstream": "if"}],
                "request_headers": {"set": {"X-A": "", "X-B": "%[src] ${HOME} \\ \"'#"}},
                "addresses": {"allow": networks, "deny": networks},
            },
            {"name": "--", "targets": [{"upstream": "if"}]},
            {"name": "if", "match": {"exact": "/x"}, "respond": {"body": "100% $HOME \\ \"'#"}},
        ],
    }
    checked(tmp_path, document)


@pytest.mark.parametrize("names", [("a.pem", "a.pem"), ("a.pem", "a.pem.key"), ("a.crt", "a.key")])
async def test_a_listener_serves_tls_by_keys_that_lie_beside(
    names: tuple[str, str], tmp_path: Path
) -> None:
    """As certificates are named by most programs; HAProxy 2.6 finds the key by itself."""
    authority, port = Authority(tmp_path), free_port()
    authority.serving("a.example.com")
    both = (tmp_path / "a.example.com.pem").read_bytes()
    chain, key = tmp_path / names[0], tmp_path / names[1]
    at = both.index(b"-----BEGIN PRIVATE KEY")
    chain.write_bytes(both[:at] if chain != key else both)
    if chain != key:
        key.write_bytes(both[at:])
    document = {
        "listeners": [{"port": port, "tls": [{"certificate": str(chain), "key": str(key)}]}],
        "log": {"access": ""},
        "limits": {"connections": 100},
        "routes": [{"name": "a", "respond": {"status": 204}}],
    }
    checked(tmp_path, document)
    text = to_haproxy(msgspec.convert(document, GatewaySettings))
    async with haproxy(tmp_path, text, port):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=authority.trusting(), server_hostname="a.example.com"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        writer.close()
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", port, ssl=authority.trusting(), server_hostname="b.example.com"
            )


def settings(upstreams: dict[str, Any], *routes: dict[str, Any]) -> GatewaySettings:
    """Return settings from plain tables; one upstream takes everything unless routes are said."""
    first = {"name": "all", "targets": [{"upstream": next(iter(upstreams), "")}]}
    document = {
        "log": {"access": ""},
        "limits": {"connections": 100},
        "admin": None,
        "upstreams": upstreams,
        "routes": routes or [first],
    }
    return msgspec.convert(document, GatewaySettings)


class Running:
    """Run both, each on its own port.

    Args:
        folder: Where HAProxy's file is kept.
        said: The settings; their listener is replaced.
    """

    def __init__(self, folder: Path, said: GatewaySettings) -> None:
        self._folder = folder
        self._said = said
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> dict[str, int]:
        """Return the ports by name."""
        ports = {"haproxy": free_port(), "gateway": free_port()}
        theirs, ours = (
            msgspec.structs.replace(self._said, listeners=(Listener(port=port),))
            for port in ports.values()
        )
        await self._stack.enter_async_context(
            haproxy(self._folder, to_haproxy(theirs), ports["haproxy"])
        )
        await self._stack.enter_async_context(Gateway(ours))
        return ports

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def weighted(found: dict[str, Backend], **more: Any) -> dict[str, Any]:
    """Return an upstream whose endpoints weigh 1, 2, 3."""
    endpoints = [
        {"address": each.address, "weight": place}
        for place, each in enumerate(found.values(), start=1)
    ]
    return {"u": {"endpoints": endpoints, **more}}


async def test_endpoints_get_the_same_shares(tmp_path: Path) -> None:
    """By weight, exactly."""
    shares = {}
    async with (
        backends("abc") as found,
        Running(tmp_path, settings(weighted(found))) as ports,
    ):
        for name, port in ports.items():
            async with client(port) as asker:
                shares[name] = Counter([(await asker.ask("/"))[2] for _ in range(60)])
    assert shares["haproxy"] == shares["gateway"] == {"a": 10, "b": 20, "c": 30}


async def arrived(found: dict[str, Backend], held: int, asked: int = 0) -> None:
    """Wait until backends hold so many requests, and were asked so often at least."""
    for _ in range(2_000):
        now = found.values()
        if sum(e.held for e in now) == held and sum(len(e.asked) for e in now) >= asked:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(held, asked)


async def test_held_requests_are_spread_by_connections_and_weight(tmp_path: Path) -> None:
    """Twelve at once: 2, 4 and 6."""
    async with (
        backends("abc") as found,
        Running(tmp_path, settings(weighted(found, policy="least_connections"))) as ports,
        AsyncExitStack() as stack,
    ):
        for port in ports.values():
            for each in found.values():
                each.may_answer.clear()
            asking = []
            for count in range(1, 13):
                asker = await stack.enter_async_context(client(port))
                asking.append(asyncio.create_task(asker.ask("/")))
                await arrived(found, count)
            assert {name: each.held for name, each in found.items()} == {"a": 2, "b": 4, "c": 6}
            for each in found.values():
                each.may_answer.set()
            assert {status for status, _, _ in await asyncio.gather(*asking)} == {200}


async def test_a_network_stays_at_its_endpoint(tmp_path: Path) -> None:
    """`ip_hash` hashes three bytes in both; which endpoint it is differs."""
    async with (
        backends("abc") as found,
        Running(tmp_path, settings(weighted(found, policy="ip_hash"))) as ports,
    ):
        for port in ports.values():
            by_network: dict[int, set[str]] = {}
            for network in range(1, 25):
                for host in (1, 9, 200):
                    async with client(port, f"127.0.{network}.{host}") as asker:
                        by_network.setdefault(network, set()).add((await asker.ask("/"))[2])
            assert all(len(each) == 1 for each in by_network.values())
            assert set.union(*by_network.values()) == set("abc")


async def test_keys_of_a_removed_endpoint_alone_move(tmp_path: Path) -> None:
    """The ring knows endpoints by their addresses, not by their places in the file."""
    keys = [f"user-{each}" for each in range(60)]
    hashed = {"source": "header", "name": "X-User"}
    async with backends("abc") as found:
        upstream = weighted(found, policy="ketama", hash=hashed)
        places: list[dict[str, list[str]]] = []
        for endpoints in (upstream["u"]["endpoints"], upstream["u"]["endpoints"][1:]):
            said = settings({"u": {**upstream["u"], "endpoints": endpoints}})
            async with Running(tmp_path, said) as ports:
                where = {}
                for name, port in ports.items():
                    async with client(port) as asker:
                        where[name] = [(await asker.ask("/", X_User=key))[2] for key in keys]
                places.append(where)
    for name in ("haproxy", "gateway"):
        before, after = (each[name] for each in places)
        assert set(before) == set("abc")
        assert all(now == was for was, now in zip(before, after, strict=True) if was != "a")


async def seen_lately(asker: Client, expected: set[str]) -> set[int]:
    """Ask until only these endpoints answered lately; return the statuses of all answers."""
    statuses, lately = set(), deque[str](maxlen=12)
    for _ in range(2_000):
        status, _, body = await asker.ask("/")
        statuses.add(status)
        lately.append(body)
        if len(lately) == lately.maxlen and set(lately) == expected:
            return statuses
        await asyncio.sleep(0.01)
    raise AssertionError(expected, lately)


async def test_a_check_takes_an_endpoint_out_and_back(tmp_path: Path) -> None:
    """By its status; meanwhile nobody gets an error."""
    health = {"path": "/health", "interval": 0.1, "timeout": 1.0, "fall": 1, "rise": 1}
    async with (
        backends("ab") as found,
        Running(tmp_path, settings(weighted(found, health=health))) as ports,
    ):
        for port in ports.values():
            async with client(port) as asker:
                for status, expected in ((503, {"b"}), (200, {"a", "b"})):
                    found["a"].statuses["/health"] = status
                    assert await seen_lately(asker, expected) == {200}


async def test_an_endpoint_that_refuses_costs_nobody_an_answer(tmp_path: Path) -> None:
    """What was not sent is repeated elsewhere, a POST too."""
    async with backends("ab") as found:
        upstream = weighted(found)
        upstream["u"]["endpoints"].append({"address": f"127.0.0.1:{free_port()}", "weight": 3})
        async with Running(tmp_path, settings(upstream)) as ports:
            for port in ports.values():
                async with client(port) as asker:
                    got = [
                        await asker.ask("/", method, Content_Length="0")
                        for method in ("GET", "POST") * 12
                    ]
                assert {each[0] for each in got} == {200}


async def test_a_silent_endpoint_is_given_up_and_a_post_not_repeated(tmp_path: Path) -> None:
    """504 from both."""
    async with backends("a") as found:
        said = settings(weighted(found, timeouts={"read": 0.2, "send": 0.2}, retries={"tries": 3}))
        async with Running(tmp_path, said) as ports:
            found["a"].may_answer.clear()
            for port in ports.values():
                found["a"].asked.clear()
                async with client(port) as asker:
                    status, _, _ = await asker.ask("/", "POST", Content_Length="0")
                assert (status, len(found["a"].asked)) == (504, 1)
            found["a"].may_answer.set()


FORWARDED = (
    *("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"),
    *("host", "x-request-id", "x-a", "x-b"),
)


def told(head: str) -> dict[str, str]:
    """Return the fields of a request that tell of its client."""
    lines = (each.partition(": ") for each in head.split("\r\n")[1:])
    return {name.lower(): said for name, _, said in lines if name.lower() in FORWARDED}


@pytest.mark.parametrize("host", ["a.example.com", "a.example.com:8080"])
async def test_an_endpoint_is_told_the_same_about_the_client(host: str, tmp_path: Path) -> None:
    """What a client claims about itself is replaced."""
    claims = {
        "X_Real_IP": "9.9.9.9",
        "X_Forwarded_For": "9.9.9.9",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil",
        "Forwarded": "for=9.9.9.9",
        "X_Request_Id": "abc-1",
        "X_B": "b",
        "Host": host,
    }
    rules = {"set": {"X-A": "100% \"'\\"}, "remove": ["X-B"]}
    route = {"name": "all", "targets": [{"upstream": "u"}], "request_headers": rules}
    async with (
        backends("a") as found,
        Running(tmp_path, settings(weighted(found), route)) as ports,
    ):
        heads = {}
        for name, port in ports.items():
            async with client(port, "127.0.0.5") as asker:
                _, fields, _ = await asker.ask("/", **claims)
            assert fields["x-request-id"] == "abc-1"
            heads[name] = told(found["a"].asked[-1])
    assert heads["haproxy"] == heads["gateway"]
    assert heads["haproxy"]["x-real-ip"] == heads["haproxy"]["x-forwarded-for"] == "127.0.0.5"


async def test_an_ipv6_client_is_quoted_in_forwarded(tmp_path: Path) -> None:
    """As RFC 7239 wants it."""
    port = free_port()
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    listeners = tuple(Listener(host=each, port=port) for each in ("127.0.0.1", "::1"))
    async with backends("a") as found:
        said = msgspec.structs.replace(settings(weighted(found)), listeners=listeners)
        async with haproxy(tmp_path, to_haproxy(said), port):
            _, writer = await asyncio.open_connection("::1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await arrived(found, 0, asked=1)
            writer.close()
        assert told(found["a"].asked[-1])["forwarded"] == 'for="[::1]";proto=http;host=x'


async def asked_singly(port: int, targets: list[str]) -> list[tuple[str, int, str | None]]:
    """Return each target with its status and `Location`; each on its own connection."""
    got = []
    for target in targets:
        async with client(port) as asker:
            status, fields, _ = await asker.ask(target)
        got.append((target, status, fields.get("location")))
    return got


async def test_rules_of_routes_answer_and_rewrite_alike(tmp_path: Path) -> None:
    """Fixed answers, redirects, refused addresses and bodies, limits, rewritten paths."""
    to_u = {"targets": [{"upstream": "u"}]}
    limit = {"limit": 3, "burst": 3, "period": 3_600}
    routes: list[dict[str, Any]] = [
        {"name": "gone", "match": {"exact": "/gone"}, "respond": {"status": 410, "body": "100%"}},
        {
            "name": "away",
            "match": {"exact": "/away"},
            "respond": {"status": 308, "location": "https://a.example.com/100%25"},
        },
        {
            "name": "shut",
            "match": {"prefix": "/shut"},
            "addresses": {"deny": ["127.0.0.1"]},
            **to_u,
        },
        {"name": "own", "match": {"prefix": "/own"}, "addresses": {"allow": ["10.0.0.1"]}, **to_u},
        {"name": "small", "match": {"prefix": "/small"}, "max_body": 3, **to_u},
        {"name": "limit", "match": {"prefix": "/limit"}, "rate_limit": limit, **to_u},
        {"name": "api", "match": {"prefix": "/api"}, "rewrite": {"prefix": "/v1"}, **to_u},
        {"name": "cut", "match": {"prefix": "/cut"}, "rewrite": {"prefix": "/"}, **to_u},
        {"name": "item", "match": {"regex": "/i/([0-9]+)"}, "rewrite": {"path": "/x\\1"}, **to_u},
        {"name": "one", "match": {"exact": "/one"}, "rewrite": {"path": "/two"}, **to_u},
    ]
    targets = [
        *("/gone", "/away", "/shut", "/own", "/small", "/nowhere", "/api?a=b", "/api/x?a=b"),
        *("/apis", "/cut", "/cut/y", "/i/12", "/i/x", "/one?a", *["/limit"] * 4),
    ]
    seen = {}
    async with (
        backends("a") as found,
        Running(tmp_path, settings(weighted(found), *routes)) as ports,
    ):
        for name, port in ports.items():
            found["a"].asked.clear()
            got = await asked_singly(port, targets)
            async with client(port) as asker:
                got.append(
                    ("big", (await asker.ask("/small", "POST", Content_Length="4"))[0], None)
                )
            seen[name] = got, [each.split()[1] for each in found["a"].asked]
    assert seen["haproxy"] == seen["gateway"]


async def test_a_path_has_one_form_in_both(tmp_path: Path) -> None:
    """Else another form of it would get around what a route forbids."""
    routes = [
        {"name": "shut", "match": {"prefix": "/shut"}, "respond": {"status": 403}},
        {"name": "put", "match": {"prefix": "/put", "methods": ["PUT"]}, "respond": {}},
        {"name": "all", "targets": [{"upstream": "u"}]},
    ]
    targets = [
        *("/shut/x", "//shut", "/./shut", "/a/../shut", "/%73hut", "/a/%2e%2e/shut", "/a/./b//c"),
        *("/../shut", "/..", "/a/../..", "/..%2fshut", "/a/..%2F..%2Fshut", "/..;/shut", "/%zz"),
        *("/a%2Fb", "/a..b/...", "/a;x/b", "/a/..", "/.", "/a?b=/../shut", "/put", "/%7Eann"),
    ]
    seen = {}
    async with (
        backends("a") as found,
        Running(tmp_path, settings(weighted(found), *routes)) as ports,
    ):
        for name, port in ports.items():
            seen[name] = await asked_singly(port, targets)
    assert seen["haproxy"] == seen["gateway"]


async def test_a_method_that_no_route_takes_is_told_those_that_they_take(tmp_path: Path) -> None:
    """405 with `Allow`."""
    routes = [
        {"name": "put", "match": {"exact": "/a", "methods": ["PUT", "POST"]}, "respond": {}},
        {"name": "get", "match": {"prefix": "/a", "methods": ["GET"]}, "respond": {}},
    ]
    async with Running(tmp_path, settings({}, *routes)) as ports:
        for port in ports.values():
            async with client(port) as asker:
                status, fields, _ = await asker.ask("/a", "DELETE")
            assert (status, set(fields["allow"].split(", "))) == (405, {"PUT", "POST", "GET"})


async def test_targets_share_by_weight_and_0_gets_nothing(tmp_path: Path) -> None:
    """A canary."""
    async with backends("abc") as found:
        upstreams = {name: {"endpoints": [{"address": e.address}]} for name, e in found.items()}
        targets = [{"upstream": n, "weight": w} for n, w in (("a", 3), ("b", 1), ("c", 0))]
        said = settings(upstreams, {"name": "all", "targets": targets})
        async with Running(tmp_path, said) as ports:
            for port in ports.values():
                async with client(port) as asker:
                    got = Counter([(await asker.ask("/"))[2] for _ in range(400)])
                assert set(got) == {"a", "b"}
                assert got["a"] > got["b"]
