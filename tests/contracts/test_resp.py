"""What every client of Valkey promises to the rooms above it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Protocol

import pytest
from redis.asyncio import Redis

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Valkey, valkey
from loadpath.resp import (
    CommandError,
    Commands,
    NotAllowedError,
    ReadOnlyError,
    RespClient,
    Script,
    run_script,
)
from loadpath.resp.redis import RedisCommands
from tests.integration.resp.conftest import resp_valkey

__all__ = ["resp_valkey"]


class Opener(Protocol):
    """Open a client of a server."""

    def __call__(self, url: str, /) -> AbstractAsyncContextManager[Commands]:
        """Give the client within a block."""
        ...


@asynccontextmanager
async def through_redis_py(url: str) -> AsyncIterator[Commands]:
    """Give redis-py as its good user sets it up."""
    async with Redis.from_url(url) as client:
        yield RedisCommands(client)


# redis-py reads its own version from the disk for a new connection.
theirs = pytest.param(through_redis_py, marks=pytest.mark.blocking, id="redis-py")
every_client = pytest.mark.parametrize("opener", [pytest.param(RespClient, id="ours"), theirs])


@every_client
async def test_any_arguments_arrive_as_they_were(opener: Opener, resp_valkey: Valkey) -> None:
    """Bytes of any value, text and numbers; replies are bytes."""
    async with opener(resp_valkey.url) as client:
        words = [b"\x00\r\n$5", bytearray(b"b"), memoryview(b"m"), "é", 10**20, 0.5, ""]
        await client.execute("DEL", "words")
        await client.execute("RPUSH", "words", *words)
        assert await client.execute("LRANGE", "words", 0, -1) == [
            b"\x00\r\n$5", b"b", b"m", "é".encode(), b"1" + b"0" * 20, b"0.5", b"",
        ]  # fmt: skip


@every_client
async def test_a_cancelled_caller_harms_no_other(opener: Opener, resp_valkey: Valkey) -> None:
    """Of tasks that are cancelled at random every other one gets its own reply."""
    chance = Random(3)
    async with opener(resp_valkey.url) as client:

        async def ask(number: int) -> None:
            assert int(await client.execute("ECHO", number)) == number

        tasks = []
        for number in range(200):
            tasks.append(asyncio.create_task(ask(number)))
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError | None) for one in outcomes), outcomes
        assert await client.execute("ECHO", "after") == b"after"


@every_client
async def test_errors_are_told_apart(opener: Opener, resp_valkey: Valkey) -> None:
    """The type says what to do, the code what it was, the message what the server said."""
    async with opener(resp_valkey.url) as client:
        await client.execute("SET", "text", "x")
        with pytest.raises(CommandError, match="wrong kind of value"):
            await client.execute("LPUSH", "text", 1)
        await client.execute("ACL", "SETUSER", "nobody", "on", ">x", "+ping", "+hello")
        await client.execute("REPLICAOF", "127.0.0.1", 1)
        try:
            with pytest.raises(ReadOnlyError) as caught:
                await client.execute("SET", "text", "y")
        finally:
            await client.execute("REPLICAOF", "NO", "ONE")
        assert caught.value.code == "READONLY"
        assert isinstance(caught.value, RejectedError)
    wrong = resp_valkey.url.replace(resp_valkey.password, "wrong")
    with pytest.raises(NotAllowedError):
        async with opener(wrong) as stranger:
            await stranger.execute("PING")


@every_client
async def test_a_script_is_run_whether_or_not_it_is_known(
    opener: Opener, resp_valkey: Valkey
) -> None:
    """The server may have forgotten it at any time."""
    script = Script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    async with opener(resp_valkey.url) as client:
        await client.execute("DEL", "n")
        for number in range(1, 4):
            assert await run_script(client, script, ["n"], ["a"]) == [b"n", b"a", number]
            if number == 2:
                await client.execute("SCRIPT", "FLUSH")


@every_client
async def test_what_a_shared_connection_cannot_carry_is_refused(
    opener: Opener, resp_valkey: Valkey
) -> None:
    """The same commands are refused by every client, so that they can be exchanged."""
    async with opener(resp_valkey.url) as client:
        for command in (["BLPOP", "l", 0], ["multi"], ["SUBSCRIBE", "c"], ["SELECT", 1]):
            with pytest.raises(ValueError, match=str(command[0]).upper()):
                await client.execute(*command)
        with pytest.raises(TypeError, match="bytes, str, int or float"):
            await client.execute("SET", "a", None)  # type: ignore[arg-type] # wrong on purpose


@every_client
async def test_a_dead_server_is_an_error_and_its_return_is_noticed(opener: Opener) -> None:
    """Never a hang, never a wrong reply; afterwards the same client works again."""
    async with valkey(relaxed=True) as server, opener(server.url) as client:
        await client.execute("SET", "a", 1)
        await server.kill()
        with pytest.raises((InDoubtError, RejectedError)):
            async with asyncio.timeout(60):
                await client.execute("GET", "a")
        await server.restart()
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await client.execute("GET", "a") is None
                except (InDoubtError, RejectedError):
                    await asyncio.sleep(0.05)
                else:
                    break


async def test_redis_py_must_not_decode() -> None:
    """Rooms above expect bytes."""
    async with Redis(decode_responses=True) as client:
        with pytest.raises(ValueError, match="decode_responses"):
            RedisCommands(client)
