"""Behaviour of written nginx files in a real nginx: traffic goes where ours does."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadpath.balance import Balancer, Endpoint, IPHash, Ketama, WeightedRoundRobin
from loadpath.export import to_nginx
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.integration.export.programs import Backend, backends, checked, client, free_port, nginx


def settings(port: int, upstreams: dict[str, Any], *routes: dict[str, Any]) -> GatewaySettings:
    """Return settings from plain tables."""
    document = {
        "listeners": [{"host": "127.0.0.1", "port": port}],
        "log": {"access": ""},
        "upstreams": upstreams,
        "routes": routes,
    }
    return msgspec.convert(document, GatewaySettings)


def service(backend: Backend) -> dict[str, Any]:
    """Return an upstream of one backend."""
    return {"endpoints": [{"address": backend.address}]}


async def test_weights_are_served_in_the_order_of_our_own_policy(tmp_path: Path) -> None:
    """Not only the same shares: the same sequence."""
    port = free_port()
    async with backends("abc") as found:
        weights = {"a": 5, "b": 2, "c": 1}
        endpoints = [
            {"address": each.address, "weight": weights[name]} for name, each in found.items()
        ]
        text = to_nginx(
            settings(
                port,
                {"u": {"endpoints": endpoints}},
                {"name": "all", "targets": [{"upstream": "u"}]},
            )
        )
        async with nginx(tmp_path, text, port), client(port) as asker:
            got = [(await asker.ask("/"))[2] for _ in range(40)]
        balancer = Balancer(
            [Endpoint.parse(each.address, weight=weights[n]) for n, each in found.items()],
            policy=WeightedRoundRobin,
        )
        names = {each.address: name for name, each in found.items()}
        ours = []
        for _ in range(40):
            with balancer.pick() as pick:
                ours.append(names[pick.endpoint.address])
    assert got == ours


@pytest.mark.parametrize("policy", ["ketama", "ip_hash"])
async def test_keys_go_to_the_endpoints_of_our_own_policy(policy: str, tmp_path: Path) -> None:
    """For every key, bit by bit."""
    port = free_port()
    async with backends("abc") as found:
        upstream: dict[str, Any] = {
            "policy": policy,
            "endpoints": [{"address": each.address} for each in found.values()],
        }
        if policy == "ketama":
            upstream["hash"] = {"source": "header", "name": "X-Key"}
        written = settings(port, {"u": upstream}, {"name": "all", "targets": [{"upstream": "u"}]})
        document = msgspec.structs.replace(written, trusted_proxies=("127.0.0.0/8",))
        addresses = [f"10.{each % 7}.{each}.1" for each in range(60)]
        async with nginx(tmp_path, to_nginx(document), port), client(port) as asker:
            got = [
                (await asker.ask("/", X_Key=each, X_Forwarded_For=each))[2] for each in addresses
            ]
        balancer = Balancer(
            [Endpoint.parse(each.address) for each in found.values()],
            policy=IPHash if policy == "ip_hash" else partial(Ketama, layout="nginx"),
        )
        names = {each.address: name for name, each in found.items()}
        ours = []
        for each in addresses:
            with balancer.pick(key=each) as pick:
                ours.append(names[pick.endpoint.address])
    assert got == ours
    assert len(set(got)) == 3


async def test_every_kind_of_route_takes_what_the_gateway_would_send_it(tmp_path: Path) -> None:
    """Hosts, prefixes, paths, patterns, methods and fields, in the gateway's precedence."""
    port = free_port()
    async with backends("abcdefg") as found:
        upstreams = {name: service(each) for name, each in found.items()}
        matches: dict[str, dict[str, Any]] = {
            "a": {"prefix": "/api"},
            "b": {"exact": "/api/exact"},
            "c": {"prefix": "/api", "methods": ["POST"]},
            "d": {"prefix": "/api", "headers": {"X-Kind": "D"}},
            "e": {"hosts": ["e.example.com"], "prefix": "/api/e"},
            "f": {"hosts": ["*.example.com"], "regex": "/f/[0-9]+"},
            "g": {"hosts": ["e.example.com"], "prefix": "/only", "methods": ["PUT"]},
        }
        routes = [
            {"name": name, "match": match, "targets": [{"upstream": name}]}
            for name, match in matches.items()
        ]
        text = to_nginx(settings(port, upstreams, *routes))
        async with nginx(tmp_path, text, port), client(port) as asker:
            assert (await asker.ask("/api"))[2] == "a"
            assert (await asker.ask("/api/x?y=z"))[2] == "a"
            assert (await asker.ask("/apis"))[0] == 404
            assert (await asker.ask("/api/exact"))[2] == "b"
            assert (await asker.ask("/api", "POST"))[2] == "c"
            assert (await asker.ask("/api/exact", "POST"))[2] == "b"
            assert (await asker.ask("/api/x", X_Kind="D"))[2] == "d"
            assert (await asker.ask("/api/x", X_Kind="d"))[2] == "a"
            assert (await asker.ask("/api/e/1", Host="e.example.com"))[2] == "e"
            assert (await asker.ask("/api/f", Host="e.example.com:80"))[2] == "a"
            assert (await asker.ask("/f/12", Host="e.example.com"))[2] == "f"
            assert (await asker.ask("/f/12", Host="z.y.example.com"))[2] == "f"
            assert (await asker.ask("/f/x", Host="e.example.com"))[0] == 404
            assert (await asker.ask("/f/12"))[0] == 404
            assert (await asker.ask("/only", "PUT", Host="e.example.com"))[2] == "g"
            assert (await asker.ask("/only", Host="e.example.com"))[0] == 405
            assert (await asker.ask("/nowhere"))[0] == 404


async def test_rewrites_fields_and_identity_reach_the_upstream(tmp_path: Path) -> None:
    """What the upstream sees, and what of its answer the client gets."""
    port = free_port()
    async with backends("a") as found:
        target = [{"upstream": "a"}]
        routes = [
            {
                "name": "old",
                "match": {"prefix": "/old"},
                "targets": target,
                "rewrite": {"prefix": "/new", "host": "inside"},
                "request_headers": {"set": {"X-A": 'a$b"c\\'}, "remove": ["X-Gone"]},
                "response_headers": {"set": {"X-B": "50% $x"}, "remove": ["X-Gone"]},
            },
            {
                "name": "item",
                "match": {"regex": "/i/(?P<kind>[a-z]+)/([0-9]+)"},
                "targets": target,
                "rewrite": {"path": r"/\2/\g<kind>"},
            },
            {"name": "fixed", "match": {"exact": "/f"}, "respond": {"body": 'a $host "b"'}},
        ]
        text = to_nginx(settings(port, {"a": service(found["a"])}, *routes))
        async with nginx(tmp_path, text, port), client(port) as asker:
            status, fields, _ = await asker.ask("/old/x%20y?q=1", X_Gone="1", X_Forwarded_For="9")
            assert (status, fields["x-b"]) == (200, "50% $x")
            assert "x-gone" not in fields
            asked = found["a"].asked[-1]
            assert asked.startswith("GET /new/x%20y?q=1 HTTP/1.1\r\n")
            assert "\r\nHost: inside\r\n" in asked
            assert '\r\nX-A: a$b"c\\\r\n' in asked
            assert "X-Gone" not in asked
            assert "\r\nX-Real-IP: 127.0.0.1\r\n" in asked
            assert "\r\nX-Forwarded-For: 127.0.0.1\r\n" in asked
            assert f"\r\nX-Request-Id: {fields['x-request-id']}\r\n" in asked
            await asker.ask("/i/book/42")
            assert found["a"].asked[-1].startswith("GET /42/book HTTP/1.1\r\n")
            assert (await asker.ask("/f"))[2] == 'a $host "b"'
        assert found["a"].connections == 1  # kept


async def test_filters_do_what_they_do_in_the_gateway(tmp_path: Path) -> None:
    """Addresses, rates, bodies, CORS, splits and copies."""
    port = free_port()
    async with backends("abm") as found:
        upstreams = {name: service(each) for name, each in found.items()}
        here = [{"upstream": "a"}]
        routes: list[dict[str, Any]] = [
            {
                "name": "shut",
                "match": {"prefix": "/shut"},
                "targets": here,
                "addresses": {"deny": ["127.0.0.0/8"]},
            },
            {
                "name": "slow",
                "match": {"prefix": "/slow"},
                "targets": here,
                "rate_limit": {"limit": 1, "period": 60, "burst": 3},
            },
            {"name": "small", "match": {"prefix": "/small"}, "targets": here, "max_body": 5},
            {
                "name": "cors",
                "match": {"prefix": "/cors"},
                "targets": here,
                "cors": {"origins": ["https://a.example.com"], "credentials": True},
            },
            {
                "name": "split",
                "match": {"prefix": "/split"},
                "targets": [{"upstream": "a", "weight": 3}, {"upstream": "b"}],
                "mirror": {"upstream": "m"},
            },
        ]
        text = to_nginx(settings(port, upstreams, *routes))
        async with nginx(tmp_path, text, port), client(port) as asker:
            assert (await asker.ask("/shut"))[0] == 403
            statuses = [(await asker.ask("/slow"))[0] for _ in range(5)]
            assert statuses == [200, 200, 200, 429, 429]
            asked = {"Origin": "https://a.example.com"}
            _, fields, _ = await asker.ask("/cors", **asked)
            assert fields["access-control-allow-origin"] == "https://a.example.com"
            assert fields["access-control-allow-credentials"] == "true"
            _, fields, _ = await asker.ask("/cors", Origin="https://b.example.com")
            assert "access-control-allow-origin" not in fields
            preflight = {**asked, "Access_Control_Request_Method": "POST"}
            status, fields, _ = await asker.ask("/cors", "OPTIONS", **preflight)
            assert (status, fields["access-control-allow-methods"]) == (204, "GET, HEAD, POST")
            shares = Counter([(await asker.ask("/split"))[2] for _ in range(200)])
            assert 110 < shares["a"] < 190
            assert shares["a"] + shares["b"] == 200
            assert found["m"].asked
            assert (await asker.ask("/small", "POST", Content_Length="6"))[0] == 413


async def test_tunnels_are_opened_where_a_route_lets_them(tmp_path: Path) -> None:
    """The upstream sees the request for an upgrade, or does not."""
    port = free_port()
    async with backends("a") as found:
        target = [{"upstream": "a"}]
        text = to_nginx(
            settings(
                port,
                {"a": service(found["a"])},
                {"name": "ws", "match": {"prefix": "/ws"}, "targets": target},
                {"name": "no", "match": {"prefix": "/no"}, "targets": target, "upgrade": False},
            )
        )
        async with nginx(tmp_path, text, port), client(port) as asker:
            wish = {"Connection": "Upgrade", "Upgrade": "websocket"}
            await asker.ask("/ws", **wish)
            assert "\r\nUpgrade: websocket\r\n" in found["a"].asked[-1]
            await asker.ask("/no", **wish)
            assert "Upgrade" not in found["a"].asked[-1]
            await asker.ask("/ws")
            assert "Upgrade" not in found["a"].asked[-1]


async def test_a_failed_endpoint_is_passed_over_for_requests_that_are_safe(tmp_path: Path) -> None:
    """A refused connection costs nobody an answer."""
    port = free_port()
    async with backends("a") as found:
        endpoints = [{"address": f"127.0.0.1:{free_port()}"}, {"address": found["a"].address}]
        text = to_nginx(
            settings(
                port,
                {"u": {"endpoints": endpoints}},
                {"name": "all", "targets": [{"upstream": "u"}]},
            )
        )
        async with nginx(tmp_path, text, port), client(port) as asker:
            assert [(await asker.ask("/"))[0] for _ in range(10)] == [200] * 10


def make_site(folder: Path) -> Path:
    """Make two files."""
    site = folder / "site"
    (site / "sub").mkdir(parents=True)
    (site / "index.html").write_text("home")
    (site / "sub" / "a.css").write_text("a{}")
    return site


async def test_files_are_served_below_their_prefix(tmp_path: Path) -> None:
    """With an index, and not for what lies outside."""
    port = free_port()
    site = await asyncio.to_thread(make_site, tmp_path)
    route = {
        "name": "site",
        "match": {"prefix": "/s"},
        "static": {"root": str(site), "cache_control": "max-age=60"},
    }
    async with nginx(tmp_path, to_nginx(settings(port, {}, route)), port), client(port) as asker:
        assert (await asker.ask("/s/"))[2] == "home"
        status, fields, body = await asker.ask("/s/sub/a.css")
        assert (status, body, fields["cache-control"]) == (200, "a{}", "max-age=60")
        assert fields["content-type"] == "text/css"
        assert (await asker.ask("/s"))[0] == 308
        assert (await asker.ask("/s/none"))[0] == 404


async def test_the_real_nginx_takes_everything_that_can_be_said(tmp_path: Path) -> None:
    """One file with every expressible part, without a warning."""
    document = {
        "workers": 2,
        "trusted_proxies": ["10.0.0.0/8", "::1"],
        "log": {"access": str(tmp_path / "access.log")},
        "upstreams": {
            "a": {
                "policy": "least_connections",
                "endpoints": [
                    {"address": "127.0.0.1:1", "weight": 2},
                    {"address": "127.0.0.1:2", "backup": True},
                ],
                "sticky": {"max_age": 60},
                "retries": {"tries": 1},
            },
            "b": {"policy": "random", "endpoints": [{"address": "127.0.0.1:3"}]},
        },
        "routes": [
            {
                "name": "all",
                "match": {"headers": {"X-A": "*"}, "methods": ["GET"]},
                "targets": [{"upstream": "a"}, {"upstream": "b", "weight": 2}],
                "mirror": {"upstream": "b", "share": 0.25},
                "compress": {},
                "cors": {"origins": ["*"], "expose": ["X-E"]},
                "rate_limit": {"limit": 90, "period": 60, "key": "header", "header": "X-K"},
            },
        ],
    }
    said = await checked(tmp_path, to_nginx(msgspec.convert(document, GatewaySettings)))
    assert "warn" not in said
