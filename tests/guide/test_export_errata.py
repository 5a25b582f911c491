"""Defects of the guide's nginx file and manifest, each shown by one scenario against them and ours.

A scenario is written once, against the text of a file. The guide's must fail it, ours must pass.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from loadpath.export import from_nginx, to_nginx
from loadpath.export.aws import ALB, to_aws
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Listener, Log
from tests.guide.as_written.export import MANIFEST, TITLE, nginx_file
from tests.integration.export.programs import backends, checked, client, free_port, nginx

Conf = Callable[[list[str], int], str]

SINCE_EVER = "proxy_http_version 1.0;"
KEPT_SINCE_EVER = "keepalive 0;"
"""What nginx did for decades where a file said nothing: 1.29.7 began to keep connections itself."""


def as_written(servers: list[str], port: int) -> str:
    """Return the guide's file as a whole nginx file on a port."""
    inside = nginx_file(servers).replace("listen 80;", f"listen 127.0.0.1:{port};")
    inside = inside.replace("fail_timeout=30s;", f"fail_timeout=30s; {KEPT_SINCE_EVER}")
    return f"events {{}}\nhttp {{ access_log off; {SINCE_EVER}\n{inside}\n}}\n"


def ours(servers: list[str], port: int) -> str:
    """Return our file for what can be read of the guide's."""
    imported = from_nginx(nginx_file(servers)).settings
    settings = msgspec.structs.replace(
        imported, listeners=(Listener(port=port),), log=Log(access="")
    )
    return to_nginx(settings).replace("http {", f"http {{ {SINCE_EVER}", 1)


async def one_method_for_an_upstream(conf: Conf, folder: Path) -> None:
    """The server itself has nothing to say against the file."""
    text = conf([f"127.0.0.1:{3001 + each}" for each in range(9)], 8080)
    assert "load balancing method redefined" not in await checked(folder, text)


async def connections_to_upstreams(conf: Conf, folder: Path) -> None:
    """A hundred requests of one client need no hundred connections to the server behind."""
    port = free_port()
    async with backends("abcdefghi") as found:
        text = conf([each.address for each in found.values()], port)
        async with nginx(folder, text, port), client(port) as asker:
            for _ in range(100):
                await asker.ask("/", Host="api.example.com")
        assert sum(len(each.asked) for each in found.values()) == 100
        assert sum(each.connections for each in found.values()) <= 10


@pytest.mark.parametrize("scenario", [one_method_for_an_upstream, connections_to_upstreams])
async def test_the_guides_file_fails_and_ours_passes(
    scenario: Callable[[Conf, Path], Awaitable[None]], tmp_path: Path
) -> None:
    """On the same real nginx."""
    folders = [tmp_path / "guide", tmp_path / "ours"]
    for each in folders:
        await asyncio.to_thread(each.mkdir)
    with pytest.raises(AssertionError):
        await scenario(as_written, folders[0])
    await scenario(ours, folders[1])


def test_the_guides_file_is_read_with_its_mistakes_named() -> None:
    """Each with its line."""
    notes = from_nginx(nginx_file([f"127.0.0.1:{3001 + each}" for each in range(9)])).notes
    mistakes = [(each.line, each.directive) for each in notes if each.kind == "mistake"]
    assert mistakes == [(2, "upstream backend"), (9, "least_conn")]


def an_alb_that_is_one(title: str, objects: list[dict[str, Any]]) -> None:
    """What is called an ALB asks AWS for an ALB: an Ingress of that class, and never for an NLB."""
    (called,) = [each for each in objects if "ALB" in title or each["metadata"]["name"] == title]
    assert called["kind"] == "Ingress"
    assert called["spec"]["ingressClassName"] == "alb"
    assert "nlb" not in str(called["metadata"])


def test_the_guides_alb_is_an_nlb_and_ours_is_an_alb() -> None:
    """The annotation says `nlb`, and AWS believes the annotation."""
    settings = msgspec.convert(
        {
            "upstreams": {"nodejs-app": {"endpoints": [{"address": "nodejs-app:3000"}]}},
            "routes": [{"name": "all", "targets": [{"upstream": "nodejs-app"}]}],
        },
        GatewaySettings,
    )
    with pytest.raises(AssertionError):
        an_alb_that_is_one(TITLE, [yaml.safe_load(MANIFEST)])
    an_alb_that_is_one(ALB, list(yaml.safe_load_all(to_aws(settings))))
