"""What the gateway's filters cost a request, beside the libraries that a user would pick instead.

CPU microseconds of one request through one filter, the loop around it included on both sides;
rounds of all take turns, and the medians are told. PyJWT checks a token as its documentation shows,
each time; ours remembers a good one, so both are told: the first sight of a token and every later
one. `limits` gets its cheapest strategy, a fixed window in memory. Starlette serves the file by
`StaticFiles` and compresses as its `GZipMiddleware` does by default, with gzip at level 9; ours is
at level 5, or Zstandard.
"""

import asyncio
import gzip
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import jwt
import limits
import limits.aio.storage
import limits.aio.strategies
from joserfc.jwk import ECKey
from starlette.staticfiles import StaticFiles

from benchmarks.result import Result
from loadpath.gateway.exchange import AnswerHead, Exchange
from loadpath.gateway.filters.addresses import AddressFilter
from loadpath.gateway.filters.apikeys import ApiKeys
from loadpath.gateway.filters.authorise import AuthoriseFilter
from loadpath.gateway.filters.compression import GzipTransform, ZstdTransform
from loadpath.gateway.filters.cors import CorsFilter
from loadpath.gateway.filters.jwt import Issuer
from loadpath.gateway.filters.keys import public_key
from loadpath.gateway.filters.ratelimit import RateLimitFilter
from loadpath.gateway.filters.static import StaticHandler
from loadpath.gateway.settings.filters import (
    Addresses,
    ApiKey,
    ApiKeysSettings,
    Authorisation,
    Cors,
    JwtSettings,
    RateLimitSettings,
)
from loadpath.gateway.settings.routes import Match, Static
from loadpath.http import parse_request_head
from loadpath.resilience import MemoryRates

ROUNDS = 9
CALLS = 300
SIZE = 16_384

Call = Callable[[], Awaitable[object]]


def run() -> list[Result]:
    """Return every figure of the filters."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file.json").write_bytes(text(SIZE))
        return asyncio.run(figures(Path(folder)))


async def figures(folder: Path) -> list[Result]:
    """Measure everything in turns."""
    key = ECKey.generate_key("P-256")
    calls = {**tokens(key), **rates(), **others(), **bodies(), **files(folder)}
    spent = await measured(calls)
    return [
        against("a token that was seen before", spent, "seen", "PyJWT", goal=5.0),
        against("a token seen for the first time (ES256)", spent, "first", "PyJWT", goal=0.5),
        against("a request within its rate", spent, "rate", "limits", goal=1.0),
        alone("an API key", spent["key"], goal=15),
        alone("an address that is allowed", spent["address"], goal=3),
        alone("CORS of an answer", spent["cors"], goal=10),
        against("16 KiB of JSON, zstd", spent, "zstd", "gzip 9", goal=3.0),
        against("16 KiB of JSON, gzip", spent, "gzip", "gzip 9", goal=1.0),
        against("a file of 16 KiB", spent, "file", "Starlette", goal=1.0),
        against("a file that the client has", spent, "same", "Starlette 304", goal=0.8),
    ]


async def measured(calls: dict[str, Call]) -> dict[str, float]:
    """Return the CPU time of one call of each (us)."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time_ns()
            for _ in range(CALLS):
                await call()
            spent[name].append((time.process_time_ns() - start) / CALLS / 1_000)
    return {name: median(times) for name, times in spent.items()}


def tokens(key: ECKey) -> dict[str, Call]:
    """Return ways to check a token."""
    pem, private = key.as_pem(private=False), key.as_pem(private=True)
    assert isinstance(pem, bytes)
    claims = {"sub": "ann", "aud": "api", "scope": "read", "exp": int(time.time()) + 86_400}
    token = jwt.encode(claims, private, algorithm="ES256")
    settings = JwtSettings(algorithms=("ES256",), key_file="k", audience="api")
    rules = Authorisation(by=("main",), scopes=("read",))
    exchange = asked({"Authorization": f"Bearer {token}"})

    def filter_() -> AuthoriseFilter:
        return AuthoriseFilter(rules, [Issuer("main", settings, public_key(pem, ["ES256"]))])

    known, fresh = filter_(), iter([filter_() for _ in range(ROUNDS * CALLS)])

    async def seen() -> object:
        assert await known.enter(exchange) is None
        return None

    async def first() -> object:
        assert await next(fresh).enter(exchange) is None
        return None

    async def pyjwt() -> object:
        found: dict[str, Any] = jwt.decode(token, pem, algorithms=["ES256"], audience="api")
        assert "read" in found["scope"].split()
        return found

    return {"seen": seen, "first": first, "PyJWT": pyjwt}


def rates() -> dict[str, Call]:
    """Return ways to limit a client."""
    exchange = asked({})
    filter_ = RateLimitFilter("r", RateLimitSettings(limit=10**9, burst=10**6), MemoryRates())
    strategy = limits.aio.strategies.FixedWindowRateLimiter(limits.aio.storage.MemoryStorage())
    rate = limits.parse("1000000000/second")

    async def ours() -> object:
        return await filter_.enter(exchange)

    async def theirs() -> object:
        return await strategy.hit(rate, "r", exchange.client)

    return {"rate": ours, "limits": theirs}


def others() -> dict[str, Call]:
    """Return filters for which there is no peer to be called alone."""
    exchange = asked({"X-API-Key": "k", "Origin": "https://a.example"})
    known = ApiKey(name="shop", sha256=sha256(b"k").hexdigest())
    keys = AuthoriseFilter(
        Authorisation(by=("api_keys",)), [ApiKeys(ApiKeysSettings(keys=(known,)))]
    )
    addresses = AddressFilter(Addresses(allow=("192.0.2.0/24",), deny=("192.0.2.128/25",)))
    cors = CorsFilter(Cors(origins=("https://a.example",)))

    async def key() -> object:
        return await keys.enter(exchange)

    async def address() -> object:
        return addresses.enter(exchange)

    async def origin() -> object:
        head = AnswerHead(status=200, fields=[(b"Content-Type", b"text/html")])
        cors.leave(exchange, head)
        return head

    return {"key": key, "address": address, "cors": origin}


def bodies() -> dict[str, Call]:
    """Return ways to compress a body."""
    body = text(SIZE)

    async def zstd() -> object:
        transform = ZstdTransform()
        return transform.feed(body) + transform.end()

    async def gzipped() -> object:
        transform = GzipTransform()
        return transform.feed(body) + transform.end()

    async def theirs() -> object:
        return gzip.compress(body, 9)

    return {"zstd": zstd, "gzip": gzipped, "gzip 9": theirs}


def files(folder: Path) -> dict[str, Call]:
    """Return ways to serve a file."""
    handler = StaticHandler(Match(prefix="/"), Static(root=str(folder)))
    starlette = StaticFiles(directory=folder)
    etags: dict[str, str] = {}

    async def file() -> object:
        reply = await handler.answer(asked({}, "/file.json"))
        etags["ours"] = dict(reply.head.fields)[b"ETag"].decode()
        assert len(reply.body) == SIZE  # type: ignore[arg-type] # a whole one
        return reply

    async def same() -> object:
        reply = await handler.answer(asked({"If-None-Match": etags["ours"]}, "/file.json"))
        assert reply.head.status == 304
        return reply

    async def theirs() -> object:
        messages = await _called(starlette, [])
        fields = dict(messages[0]["headers"])
        etags["theirs"] = fields[b"etag"].decode()
        assert sum(len(each.get("body", b"")) for each in messages) == SIZE
        return messages

    async def theirs_same() -> object:
        fields = [(b"if-none-match", etags["theirs"].encode())]
        messages = await _called(starlette, fields)
        assert messages[0]["status"] == 304
        return messages

    return {"file": file, "same": same, "Starlette": theirs, "Starlette 304": theirs_same}


async def _called(app: StaticFiles, fields: list[tuple[bytes, bytes]]) -> list[Any]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return await asyncio.Future()  # the client stays

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/file.json",
        "root_path": "",
        "headers": fields,
        "extensions": {},
    }
    await app(scope, receive, send)
    return messages


def asked(fields: dict[str, str], path: str = "/") -> Exchange:
    """Return a request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    written = f"GET {path} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode()
    return Exchange(
        head=parse_request_head(written, 0, len(written) - 2),
        client="192.0.2.1",
        scheme="https",
        host="a.example",
        path=path,
        request_id="r1",
        fields=[],
    )


def text(size: int) -> bytes:
    """Return JSON as an API answers it."""
    random = Random(1)
    rows = [
        {"id": random.getrandbits(40), "name": f"user {n}", "on": n % 3 == 0} for n in range(999)
    ]
    return json.dumps(rows).encode()[:size]


def against(name: str, spent: dict[str, float], ours: str, peer: str, *, goal: float) -> Result:
    """Return one figure beside the peer's."""
    return Result(
        name=name,
        ours=spent[ours],
        unit="us",
        better="lower",
        goal=goal,
        peer_name=peer,
        peer=spent[peer],
    )


def alone(name: str, ours: float, *, goal: float) -> Result:
    """Return one figure without a peer."""
    return Result(name=name, ours=ours, unit="us", better="lower", goal=goal, goal_on="ours")
