"""What every client of Valkey promises to the rooms above it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Valkey, valkey
from loadpath.resp import (
    CommandError,
    Commands,
    NotAllowedError,
    Pinning,
    Publications,
    ReadOnlyError,
    RespClient,
    Script,
    run_script,
)
from loadpath.resp.redis import RedisCommands
from tests.integration.resp.conftest import resp_valkey

__all__ = ["resp_valkey"]


class Client(Commands, Publications, Pinning, Protocol):
    """What a client promises."""


class Opener(Protocol):
    """Open a client of a server."""

    def __call__(self, url: str, /) -> AbstractAsyncContextManager[Client]:
        """Give the client within a block."""
        ...


@asynccontextmanager
async def through_redis_py(url: str) -> AsyncIterator[Client]:
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


@every_client
async def test_publications_are_heard_within_the_block(opener: Opener, resp_valkey: Valkey) -> None:
    """In order, from the moment the server agreed; a listener that raises harms nobody."""
    heard: list[bytes] = []
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))

    def hear(payload: bytes) -> None:
        heard.append(payload)
        if payload == b"1":
            raise ZeroDivisionError

    try:
        async with opener(resp_valkey.url) as client:
            async with client.subscribed("news", hear):
                for number in range(5):
                    assert await client.execute("PUBLISH", "news", number) == 1
                async with asyncio.timeout(30):
                    while len(heard) < 5:  # noqa: ASYNC110 - theirs
                        await asyncio.sleep(0.01)
            async with asyncio.timeout(30):
                while await client.execute("PUBLISH", "news", "late"):  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.01)
    finally:
        loop.set_exception_handler(None)
    assert heard == [b"0", b"1", b"2", b"3", b"4"]
    assert [type(one["exception"]) for one in reported] == [ZeroDivisionError]


@every_client
async def test_a_channel_that_may_not_be_heard_is_told(opener: Opener, resp_valkey: Valkey) -> None:
    """On entering, and nothing is left."""
    before = asyncio.all_tasks()
    async with RespClient(resp_valkey.url) as admin:
        await admin.execute("ACL", "SETUSER", "deaf", "on", ">x", "~*", "+@all", "resetchannels")
    url = resp_valkey.url.replace(f":{resp_valkey.password}@", "deaf:x@")
    async with opener(url) as client:
        with pytest.raises(NotAllowedError, match="NOPERM"):
            async with client.subscribed("secret", lambda _: None):
                pass
    assert asyncio.all_tasks() <= before


@every_client
async def test_pinned_commands_share_a_connection(opener: Opener, resp_valkey: Valkey) -> None:
    """Others go on meanwhile; an error of the server ends nothing."""
    async with opener(resp_valkey.url) as client, client.pinned("k") as pinned:
        first = await pinned.execute("CLIENT", "ID")
        await asyncio.gather(*(client.execute("PING") for _ in range(20)))
        with pytest.raises(CommandError, match="syntax"):
            await pinned.execute("SET", "k", "v", "wrong")
        assert await pinned.execute("CLIENT", "ID") == first


@every_client
async def test_pinned_commands_do_not_go_on_over_another_connection(
    opener: Opener, resp_valkey: Valkey
) -> None:
    """They are refused or in doubt; the client itself goes on."""
    async with RespClient(resp_valkey.url) as admin, opener(resp_valkey.url) as client:
        with pytest.raises((InDoubtError, RejectedError)):  # noqa: PT012 - the block
            async with client.pinned("k") as pinned:
                number = await pinned.execute("CLIENT", "ID")
                await admin.execute("CLIENT", "KILL", "ID", number)
                await pinned.execute("WAIT", 0, 0)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await client.execute("PING") in (b"PONG", True)
                    break
                except (InDoubtError, RejectedError):
                    await asyncio.sleep(0.01)


@every_client
async def test_a_cancelled_pinned_command_leaves_no_half_answer(
    opener: Opener, resp_valkey: Valkey
) -> None:
    """Whoever uses the connection next gets their own."""
    async with opener(resp_valkey.url) as client:

        async def ask(number: int) -> None:
            async with client.pinned("k") as pinned:
                for _ in range(3):
                    assert int(await pinned.execute("ECHO", number)) == number

        chance = Random(9)
        for _ in range(5):
            tasks = [asyncio.create_task(ask(number)) for number in range(20)]
            await asyncio.sleep(chance.uniform(0, 0.005))
            for task in chance.sample(tasks, 10):
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError | None) for one in outcomes), outcomes


async def test_redis_py_must_not_decode() -> None:
    """Rooms above expect bytes."""
    async with Redis(decode_responses=True) as client:
        with pytest.raises(ValueError, match="decode_responses"):
            RedisCommands(client)
