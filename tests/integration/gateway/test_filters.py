"""What the filters of a route do to real requests, in front of a real nginx."""

import asyncio
import gzip
import hashlib
import json
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from loadpath.local import Nginx, nginx
from tests.integration.gateway.running import Client, gateway, open_files, until
from tests.unit.gateway.filters.tokenkit import SECRET, signed

HELLO = '{"hello": "%s"}' % ("world " * 300)
SERVER = f"""
location / {{
    default_type application/json;
    add_header ETag '"same"';
    add_header Access-Control-Allow-Origin nobody;
    add_header X-Authorization $http_authorization;
    return 200 '{HELLO}';
}}
"""


@pytest.fixture(scope="module")
async def origin() -> AsyncIterator[Nginx]:
    """Run the service behind the gateways."""
    async with nginx(server=SERVER) as server:
        yield server


def upstream(origin: Nginx) -> str:
    """Return the settings of the service."""
    address = origin.url.removeprefix("http://")
    return f'[upstreams.o]\nendpoints = [{{address = "{address}"}}]\n'


def route(name: str, **rules: str) -> str:
    """Return the settings of a route to the service; each rule is TOML."""
    lines = "".join(f"{key} = {value}\n" for key, value in rules.items())
    target = "" if "static" in rules else 'targets = [{upstream = "o"}]\n'
    return f'[[routes]]\nname = "{name}"\nmatch = {{prefix = "/{name}"}}\n{target}{lines}'


def token(**claims: Any) -> str:
    """Return what `Authorization` says for Ann."""
    good = {"sub": "ann", "aud": "api", "exp": int(time.time()) + 600, "scope": "read"}
    return f"Bearer {signed(json.dumps({**good, **claims}).encode())}"


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Client]:
    """Serve a folder."""
    folder = tmp_path / "www"
    await asyncio.to_thread(_fill, folder)
    static = f'{{root = "{folder}", cache_control = "max-age=60"}}'
    async with gateway(tmp_path, route("files", static=static, compress="{}")) as client:
        yield client


def _fill(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "index.html").write_text("<p>index")
    (folder / "page.txt").write_bytes(b"0123456789" * 1_000)
    (folder / "app.js").write_text("let a = 1")
    (folder / "app.js.br").write_bytes(b"brotli")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4_096 * 8)
    (folder / ".env").write_text("secret")
    (folder / "out").symlink_to("/etc/passwd")


async def test_files_whole_and_in_part(files: Client) -> None:
    """What is whole has a length and an ETag; a part says where it lies."""
    whole = await files.get("/files/page.txt")
    assert (whole.status, len(whole.body)) == (200, 10_000)
    assert whole.fields["cache-control"] == "max-age=60"
    part = await files.get("/files/page.txt", Range="bytes=10-14")
    assert (part.status, part.body) == (206, b"01234")
    assert part.fields["content-range"] == "bytes 10-14/10000"
    assert (await files.get("/files/page.txt", Range="bytes=10000-")).status == 416
    several = await files.get("/files/page.txt", Range="bytes=0-1,5-6")
    assert (several.status, several.body) == (200, whole.body)
    large = await files.get("/files/big.bin", Range="bytes=1-")
    assert large.body == (bytes(range(256)) * 4_096 * 8)[1:]


async def test_files_that_the_client_has(files: Client) -> None:
    """304 by ETag and by date, for HEAD as well; the ETag is that of what would be sent."""
    for accepted in ({}, {"Accept_Encoding": "gzip, deflate, br, zstd"}):
        whole = await files.get("/files/page.txt", **accepted)
        etag = whole.fields["etag"]
        assert etag.startswith("W/") is bool(accepted)
        for method in ("GET", "HEAD"):
            same = await files.get("/files/page.txt", method=method, If_None_Match=etag, **accepted)
            assert (same.status, same.fields["etag"], same.body) == (304, etag, b"")
        since = whole.fields["last-modified"]
        assert (await files.get("/files/page.txt", If_Modified_Since=since)).status == 304


async def test_files_as_a_browser_asks_for_them(files: Client) -> None:
    """A variant that lies there is served as it is, else what is text is compressed."""
    browser = {"Accept_Encoding": "gzip, deflate, br"}
    ready = await files.get("/files/app.js", **browser)
    assert (ready.fields["content-encoding"], ready.body) == ("br", b"brotli")
    made = await files.get("/files/page.txt", **browser)
    assert made.fields["content-encoding"] == "gzip"
    assert gzip.decompress(made.body) == b"0123456789" * 1_000
    assert made.fields["vary"] == "Accept-Encoding"
    part = await files.get("/files/page.txt", Range="bytes=0-4", **browser)
    assert (part.status, part.body) == (206, b"01234")
    head = await files.get("/files/page.txt", method="HEAD", **browser)
    assert (head.status, head.body) == (200, b"")
    assert head.fields["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", ["/files/.env", "/files/out", "/files/../etc/passwd", "/files/%2e%2e%2fpage.txt"]
)
async def test_files_that_are_nobodys_business(files: Client, path: str) -> None:
    """Hidden ones, links out of the folder and paths out of it look like ones that are not."""
    assert (await files.get(path)).status in {400, 404}


async def test_folders_and_methods(files: Client) -> None:
    """A folder is led to its own address; files are read only."""
    moved = await files.get("/files/sub?a=1")
    assert (moved.status, moved.fields["location"]) == (308, "/files/sub/?a=1")
    assert (await files.get("/files/sub/")).body == b"<p>index"
    refused = await files.get("/files/page.txt", method="DELETE")
    assert (refused.status, refused.fields["allow"]) == (405, "GET, HEAD")


async def test_a_client_that_leaves_in_the_middle_of_a_file(files: Client) -> None:
    """The file is closed, whatever was under way."""
    before = await open_files()
    for _ in range(20):
        response = await files.open("/files/big.bin")
        await response.read_some()
        response.close()
    await until(before)


AUTHORISED = f"""
[jwt.main]
algorithms = ["HS256"]
secret_file = "secret"
audience = "api"
[api_keys]
keys = [{{name = "shop", sha256 = "{hashlib.sha256(b"k1").hexdigest()}", scopes = ["read"]}}]
"""


@pytest.fixture
async def guarded(
    tmp_path: Path, origin: Nginx, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    """Serve routes that not everybody may use."""
    monkeypatch.chdir(tmp_path)
    await asyncio.to_thread((tmp_path / "secret").write_bytes, SECRET)
    document = AUTHORISED + upstream(origin)
    document += route("read", authorise='{by = ["main", "api_keys"], scopes = ["read"]}')
    document += route("write", authorise='{by = ["main", "api_keys"], scopes = ["write"]}')
    document += route("admin", authorise='{by = ["main"], roles = ["admin"]}')
    document += route("tenant", authorise='{by = ["main"], claims = {tenant = "t1"}}')
    document += route(
        "page",
        authorise='{by = ["main"]}',
        cors='{origins = ["https://a.example"], headers = ["authorization"]}',
        compress="{}",
    )
    async with gateway(tmp_path, document) as client:
        yield client


async def test_who_may(guarded: Client) -> None:
    """A token or a key in its header; what it may do is checked for each route."""
    for fields in ({"Authorization": token()}, {"X_API_Key": "k1"}):
        assert (await guarded.get("/read", **fields)).status == 200
        assert (await guarded.get("/write", **fields)).status == 403
    assert (await guarded.get("/admin", Authorization=token(roles=["admin"]))).status == 200
    assert (await guarded.get("/admin", Authorization=token())).status == 403
    assert (await guarded.get("/tenant", Authorization=token(tenant="t1"))).status == 200
    assert (await guarded.get("/tenant", Authorization=token(tenant="t2"))).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
async def test_who_is_not_known(guarded: Client, method: str) -> None:
    """401 for every method, and what is asked for; a route that is not there says nothing else."""
    for fields in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": token()[:-3]},
        {"Authorization": token(exp=1)},
        {"Authorization": token(aud="other")},
        {"X_API_Key": "k2"},
        {"Cookie": f"token={token()}"},
    ):
        answer = await guarded.get("/read/secret", method=method, **fields)
        assert answer.status == 401
        assert "www-authenticate" in answer.fields
    assert (await guarded.get(f"/read?access_token={token()[7:]}")).status == 401


async def test_a_page_of_another_origin(guarded: Client) -> None:
    """A preflight needs no token; a refusal can be read; what the service says is replaced."""
    page = {"Origin": "https://a.example"}
    preflight = await guarded.get(
        "/page", method="OPTIONS", Access_Control_Request_Method="GET", **page
    )
    assert preflight.status == 204
    assert preflight.fields["access-control-allow-headers"] == "authorization"
    refused = await guarded.get("/page", **page)
    assert refused.status == 401
    answer = await guarded.get("/page", Authorization=token(), Accept_Encoding="gzip", **page)
    assert gzip.decompress(answer.body).decode() == HELLO
    assert answer.fields["etag"] == 'W/"same"'
    for each in (preflight, refused, answer):
        assert each.fields["access-control-allow-origin"] == "https://a.example"
    other = await guarded.get("/page", Authorization=token(), Origin="https://b.example")
    assert "access-control-allow-origin" not in other.fields


async def test_a_secret_is_changed_in_its_file(guarded: Client, tmp_path: Path) -> None:
    """A reload takes it over although the settings are the same; a bad one is refused."""
    document = (tmp_path / f"{guarded.port}.toml").read_text().split("\n", 2)[2]
    await asyncio.to_thread((tmp_path / "secret").write_bytes, b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        await guarded.reload(document)
    assert (await guarded.get("/read", Authorization=token())).status == 200
    await asyncio.to_thread((tmp_path / "secret").write_bytes, b"n" * 40)
    await guarded.reload(document)
    assert (await guarded.get("/read", Authorization=token())).status == 401


async def test_events_are_not_held_back(tmp_path: Path) -> None:
    """Each event that a service sends is there, compressed, before the next one is sent."""
    more = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while event := await more.get():
            writer.write(event)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    document = f'[upstreams.o]\nendpoints = [{{address = "{address}"}}]\n'
    async with server, gateway(tmp_path, document + route("events", compress="{}")) as client:
        response = await client.open("/events", Accept_Encoding="gzip")
        reader = zlib.decompressobj(31)
        for number in range(5):
            event = f"data: {number}\n\n".encode()
            more.put_nowait(event)
            read = b""
            while read != event:
                read += reader.decompress(await response.read_some())
        more.put_nowait(b"")
        assert reader.decompress(await response.read()) == b""
        assert reader.eof


async def test_too_many_requests(tmp_path: Path, origin: Nginx) -> None:
    """The burst passes; what is refused says when to come again; others are not touched."""
    document = upstream(origin) + route("a", rate_limit="{limit = 1, period = 3600, burst = 3}")
    document += route("b", rate_limit='{limit = 1, period = 3600, key = "header", header = "X-T"}')
    document += route("c", rate_limit='{limit = 1, period = 3600, key = "route"}')
    async with gateway(tmp_path, document) as client:
        assert sorted(await client.statuses(10, "/a")) == [200] * 3 + [429] * 7
        refused = await client.get("/a")
        assert 0 < int(refused.fields["retry-after"]) <= 3_600
        assert [(await client.get("/b", X_T=each)).status for each in "112"] == [200, 429, 200]
        assert [(await client.get("/c", X_T=each)).status for each in "12"] == [200, 429]
        await client.reload(document.replace("burst = 3", "burst = 4"))
        assert sorted(await client.statuses(10, "/a")) == [200, *[429] * 9]
