"""`loadpath cache`: look into a cache on Valkey or Redis, invalidate in it, fill it from a file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from loadpath.cache import EntryOptions, MultiLayerCache, UndecodableError, ValkeyStore
from loadpath.cache.codec import decode
from loadpath.cache.names import Names
from loadpath.cli.entry import UsageError, asked
from loadpath.cli.output import print_json
from loadpath.resp import RespClient

T = TypeVar("T")
URL: Final = "redis://127.0.0.1:6379/0"
STEP: Final = 500


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """Hold one line of a file to warm from.

    Attributes:
        key: The key.
        value: Any JSON value.
        ttl: How long it is fresh (s).
        tags: What invalidates it besides its key.
    """

    key: str
    value: Any
    ttl: float = 3600.0
    tags: tuple[str, ...] = ()


def stats(*, url: str = URL, prefix: str = "cache:") -> None:
    """Print what a cache holds on the server, as JSON.

    Args:
        url: The server.
        prefix: The cache's prefix.
    """

    async def count(client: RespClient) -> dict[str, Any]:
        names = Names(prefix)
        info = _info(await client.execute("INFO"))
        return {
            "entries": await _count(client, names.prefix),
            "fills_under_way": await _count(client, names.leases),
            "tags": await _count(client, names.barriers),
            "writes_queued": await client.execute("XLEN", f"#{prefix}writes"),
            "dead_letters": await client.execute("XLEN", f"#{prefix}writes:dead"),
            "server": {
                name: int(info[name])
                for name in ("used_memory", "evicted_keys", "keyspace_hits", "keyspace_misses")
            },
        }

    print_json(_run(url, prefix, count))


def get(key: str, /, *, url: str = URL, prefix: str = "cache:") -> int:
    """Print what the server holds for a key, as JSON; exits with 1 when no reader would get it.

    Args:
        key: The key, without the prefix.
        url: The server.
        prefix: The cache's prefix.
    """

    async def read(client: RespClient) -> dict[str, Any]:
        store = ValkeyStore(client, prefix=prefix)
        _, data = await store.read((key,))
        async with MultiLayerCache(store, l1_entries=0) as cache:
            found = await cache.get_many([key])
        document: dict[str, Any] = {"key": key, "valid": key in found}
        if data is not None:
            try:
                stored = decode(data)
            except UndecodableError as error:
                return {**document, "undecodable": str(error)}
            document |= msgspec.structs.asdict(stored)
        return document

    document = _run(url, prefix, read)
    print_json(document)
    return 0 if document["valid"] else 1


def invalidate(
    *,
    url: str = URL,
    prefix: str = "cache:",
    key: list[str] | None = None,
    tag: list[str] | None = None,
    pattern: list[str] | None = None,
    older_than: float | None = None,
) -> None:
    """Invalidate entries in every process that shares the cache.

    Args:
        url: The server.
        prefix: The cache's prefix.
        key: Keys, without the prefix.
        tag: Tags.
        pattern: Patterns of whole keys; `*` is any text, `?` any character.
        older_than: Everything begun more than this many seconds ago; 0: everything.
    """
    if not (key or tag or pattern or older_than is not None):
        raise UsageError("name what to invalidate: --key, --tag, --pattern or --older-than")

    async def work(client: RespClient) -> dict[str, int]:
        async with MultiLayerCache(ValkeyStore(client, prefix=prefix), l1_entries=0) as cache:
            with asked():
                removed = await cache.delete(*key or [])
                for each in pattern or []:
                    removed += await cache.invalidate_pattern(each)
                await cache.invalidate_tags(*tag or [])
                if older_than is not None:
                    await cache.invalidate_by_time(older_than)
            stats = cache.snapshot().l2
        if stats is None or stats.failures:
            raise ConnectionError("the server did not hear every invalidation: try again")
        return {"removed": removed}

    print_json(_run(url, prefix, work))


def warm(file: Path, /, *, url: str = URL, prefix: str = "cache:") -> None:
    """Fill a cache from a file with one JSON object a line: key, value, ttl (s), tags.

    Args:
        file: The file.
        url: The server.
        prefix: The cache's prefix.
    """

    async def fill(client: RespClient) -> dict[str, int]:
        async with MultiLayerCache(ValkeyStore(client, prefix=prefix), l1_entries=0) as cache:
            for begin in range(0, len(lines), STEP):
                await asyncio.gather(*(_put(cache, one) for one in lines[begin : begin + STEP]))
            stats = cache.snapshot().l2
        if stats is None or stats.failures:
            raise ConnectionError("the server did not take every entry: try again")
        return {"warmed": len(lines)}

    lines = _lines(file)
    print_json(_run(url, prefix, fill))


async def _put(cache: MultiLayerCache, line: Line) -> None:
    with asked():
        options = EntryOptions(l2_ttl=line.ttl, tags=line.tags)
    await cache.set(line.key, line.value, options)


def _lines(file: Path) -> list[Line]:
    found = []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        try:
            found.append(msgspec.json.decode(text, type=Line))
        except (msgspec.MsgspecError, ValueError) as error:
            raise UsageError(f"{file}:{number}: {error}") from error
    return found


def _run(url: str, prefix: str, work: Callable[[RespClient], Awaitable[T]]) -> T:
    async def connected() -> T:
        with asked():
            client = RespClient(url)
            Names(prefix)
        async with client:
            return await work(client)

    return asyncio.run(connected())


async def _count(client: RespClient, prefix: str) -> int:
    total = 0
    async for keys in _scanned(client, prefix):
        total += len(keys)
    return total


async def _scanned(client: RespClient, prefix: str) -> AsyncIterator[list[bytes]]:
    match = "".join("\\" + c if c in "*?[]\\^-" else c for c in prefix) + "*"
    cursor: Any = b"0"
    while True:
        reply: Any = await client.execute("SCAN", cursor, "MATCH", match, "COUNT", 1_000)
        cursor, keys = reply
        yield keys
        if cursor == b"0":
            return


def _info(reply: Any) -> dict[str, str]:
    text = reply.decode() if isinstance(reply, bytes) else str(reply)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
