"""Behaviour of written files beside the gateway: the same requests get the same answers."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadpath.export import to_haproxy, to_nginx
from loadpath.gateway.gateway import Gateway
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Listener
from tests.integration.export.programs import (
    backends,
    client,
    free_port,
    haproxy,
    needs_haproxy,
    nginx,
)

RUNNERS = {"nginx": (to_nginx, nginx), "haproxy": (to_haproxy, haproxy)}
EACH = ["nginx", pytest.param("haproxy", marks=needs_haproxy)]

Asked = tuple[str, str, dict[str, str]]


async def answers(port: int, requests: list[Asked]) -> list[tuple[int, str]]:
    """Return status and body of each answer; what a proxy says of its own errors is left out."""
    got = []
    async with client(port) as asker:
        for target, method, fields in requests:
            status, _, body = await asker.ask(target, method, **fields)
            got.append((status, body if status < 400 else ""))
    return got


async def both(
    folder: Path, settings: GatewaySettings, requests: list[Asked], program: str = "nginx"
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the answers of a program and of the gateway, each with fresh turns."""
    write, run = RUNNERS[program]
    port = free_port()
    theirs = msgspec.structs.replace(settings, listeners=(Listener(port=port),))
    async with run(folder, write(theirs), port):
        by_program = await answers(port, requests)
    port = free_port()
    async with Gateway(msgspec.structs.replace(settings, listeners=(Listener(port=port),))):
        return by_program, await answers(port, requests)


@pytest.mark.parametrize("policy", ["round_robin", "least_connections", "ip_hash", "ketama"])
async def test_the_same_endpoints_get_the_same_requests(policy: str, tmp_path: Path) -> None:
    """Request by request, with weights, and for clients behind a trusted proxy."""
    async with backends("abc") as found:
        upstream: dict[str, Any] = {
            "policy": policy,
            "endpoints": [
                {"address": each.address, "weight": place}
                for place, each in enumerate(found.values(), start=1)
            ],
        }
        document = {
            "log": {"access": ""},
            "limits": {"connections": 100},
            "admin": None,
            "trusted_proxies": ["127.0.0.0/8"],
            "upstreams": {"u": upstream},
            "routes": [{"name": "all", "targets": [{"upstream": "u"}]}],
        }
        settings = msgspec.convert(document, GatewaySettings)
        requests: list[Asked] = [
            ("/", "GET", {"X_Forwarded_For": f"10.{each % 7}.{each}.1"}) for each in range(60)
        ]
        by_nginx, by_gateway = await both(tmp_path, settings, requests)
    assert by_nginx == by_gateway
    assert {body for _, body in by_nginx} == set("abc")


@pytest.mark.parametrize("program", EACH)
async def test_the_same_routes_take_the_same_requests(program: str, tmp_path: Path) -> None:
    """Over hosts, paths, methods and fields that nearly fit."""
    matches: dict[str, dict[str, Any]] = {
        "a": {"prefix": "/api"},
        "b": {"exact": "/api/exact"},
        "c": {"prefix": "/api", "methods": ["POST"]},
        "d": {"prefix": "/api", "headers": {"X-Kind": "D"}},
        "e": {"hosts": ["e.example.com"], "prefix": "/api/e"},
        "f": {"hosts": ["*.example.com"], "regex": "/f/[0-9]+"},
        "g": {"hosts": ["e.example.com"], "prefix": "/only", "methods": ["PUT"]},
    }
    paths = ["/api", "/api/", "/api/exact", "/api/e/1", "/apis", "/f/12", "/f/x", "/only", "/"]
    hosts = ["x", "e.example.com", "e.example.com:80", "y.example.com", "example.com"]
    requests: list[Asked] = [
        (path, method, {"Host": host, "X_Kind": kind})
        for path in paths
        for host in hosts
        for method in ("GET", "POST", "PUT")
        for kind in ("D", "d")
    ]
    async with backends(matches) as found:
        document = {
            "log": {"access": ""},
            "limits": {"connections": 100},
            "admin": None,
            "upstreams": {
                name: {"endpoints": [{"address": each.address}]} for name, each in found.items()
            },
            "routes": [
                {"name": name, "match": match, "targets": [{"upstream": name}]}
                for name, match in matches.items()
            ],
        }
        by_program, by_gateway = await both(
            tmp_path, msgspec.convert(document, GatewaySettings), requests, program
        )
    differences = [
        (each, ours, theirs)
        for each, ours, theirs in zip(requests, by_gateway, by_program, strict=True)
        if ours != theirs
    ]
    assert not differences
