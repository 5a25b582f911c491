"""One connection to a real server, many tasks on it."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from loadpath.local import Valkey
from loadpath.resp import (
    Address,
    CommandError,
    Limits,
    NotAllowedError,
    NotConnectedError,
    RespClient,
    TooManyCommandsError,
)


async def test_replies_are_python_values(client: RespClient) -> None:
    """RESP3's types arrive as such; strings are bytes."""
    await client.execute("HSET", "h", "a", 1, "b", 2)
    assert await client.execute("HGETALL", "h") == {b"a": b"1", b"b": b"2"}
    assert await client.execute("INCR", "n") == 1
    assert await client.execute("GET", "missing") is None
    await client.execute("ZADD", "z", 1.5, "one")
    assert await client.execute("ZSCORE", "z", "one") == 1.5
    assert await client.execute("EVAL", "redis.setresp(3) return true", 0) is True
    assert await client.execute("SMEMBERS", "none") == []


async def test_thousands_of_cancelled_callers_shift_no_reply(client: RespClient) -> None:
    """5,000 tasks ask for their own number, a third are cancelled at random moments."""
    chance = Random(6)
    wrong: list[tuple[int, Any]] = []
    answered = 0

    async def ask(number: int) -> None:
        nonlocal answered
        reply = await client.execute("ECHO", number)
        answered += 1
        if int(reply) != number:
            wrong.append((number, reply))

    tasks = []
    for number in range(5_000):
        tasks.append(asyncio.create_task(ask(number)))
        if chance.random() < 0.2:
            await asyncio.sleep(0)
        if chance.random() < 0.35:
            chance.choice(tasks[-50:]).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = sum(task.cancelled() for task in tasks)
    assert not wrong
    assert cancelled > 500
    assert answered + cancelled == len(tasks)
    assert await client.execute("ECHO", "after") == b"after"
    assert client.snapshot().in_flight == 0


async def test_many_commands_in_a_row(client: RespClient) -> None:
    """Replies are in the order of the commands; a server's error is a value among them."""
    replies = await client.execute_many(
        [["SET", "a", 1], ["LPUSH", "a", 1], ["INCR", "a"], ["GET", "a"]]
    )
    assert [replies[0], *replies[2:]] == [b"OK", 2, b"2"]
    assert isinstance(replies[1], CommandError)
    assert await client.execute_many([]) == []


async def test_a_wrong_command_among_many_leaves_no_reply_unheard(client: RespClient) -> None:
    """Those before it are on their way, and their replies are dropped."""
    with pytest.raises(ValueError, match="BLPOP"):
        await client.execute_many([["INCR", "a"], ["BLPOP", "l", 0]])
    assert await client.execute("ECHO", "in order") == b"in order"


async def test_commands_beyond_the_limit_wait_their_turn(resp_valkey: Valkey) -> None:
    """Only so many are sent at once; the others follow in order, and none is lost."""
    limits = Limits(max_in_flight=4, max_waiting=1_000)
    async with RespClient(resp_valkey.url, limits=limits) as client:
        await client.execute("DEL", "order")
        replies = [client.execute("RPUSH", "order", number) for number in range(500)]
        assert client.snapshot().in_flight <= 4
        assert client.snapshot().waiting >= 400
        assert await asyncio.gather(*replies) == list(range(1, 501))


async def test_a_cancelled_command_that_waits_is_never_sent(resp_valkey: Valkey) -> None:
    """Its place goes to the next one."""
    async with RespClient(resp_valkey.url, limits=Limits(max_in_flight=1)) as client:
        await client.execute("DEL", "n")
        first, second, third = (client.execute("INCR", "n") for _ in range(3))
        second.cancel()
        assert [await first, await third] == [1, 2]


async def test_too_many_commands_are_refused(resp_valkey: Valkey) -> None:
    """What finds no place is not sent, and the caller learns it at once."""
    limits = Limits(max_in_flight=2, max_waiting=1)
    async with RespClient(resp_valkey.url, limits=limits) as client:
        replies = [client.execute("PING") for _ in range(3)]
        with pytest.raises(TooManyCommandsError, match="send fewer"):
            client.execute("PING")
        assert await asyncio.gather(*replies) == [b"PONG"] * 3


async def test_a_large_payload_is_whole(client: RespClient) -> None:
    """Beyond every buffer of the way, while others use the connection."""
    large = bytes(range(256)) * 40_000
    stored, *pongs = await asyncio.gather(
        client.execute("SET", "large", large), *(client.execute("PING") for _ in range(50))
    )
    assert stored == b"OK"
    assert set(pongs) == {b"PONG"}
    assert await client.execute("GET", "large") == large


async def test_user_password_and_database_are_the_addresses(resp_valkey: Valkey) -> None:
    """A connection greets with HELLO 3, AUTH and SELECT before the first command."""
    async with RespClient(resp_valkey.url) as admin:
        await admin.execute("ACL", "SETUSER", "reader", "on", ">p@ss", "~*", "+@read", "+info")
        await admin.execute("ACL", "SETUSER", "reader", "+select", "+hello", "+ping")
    address = Address(port=resp_valkey.port or 0, username="reader", password="p@ss", database=3)
    async with RespClient(address) as client:
        assert await client.execute("GET", "nothing") is None
        with pytest.raises(NotAllowedError, match="NOPERM"):
            await client.execute("SET", "a", 1)
        with pytest.raises(NotAllowedError, match="NOPERM"):
            async with client.subscribed("secret", lambda _: None):
                pass
        assert await client.execute("PING") == b"PONG"


@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_is_told_at_once(resp_valkey: Valkey, password: str | None) -> None:
    """Opening fails with the server's words and leaves no task behind."""
    before = asyncio.all_tasks()
    address = Address(port=resp_valkey.port or 0, password=password)
    with pytest.raises(NotAllowedError, match=r"WRONGPASS|NOAUTH"):
        await RespClient(address).__aenter__()
    assert asyncio.all_tasks() <= before


async def test_publications_reach_their_listeners_within_the_block(client: RespClient) -> None:
    """From the moment the server agreed until the block ends."""
    heard: list[bytes] = []
    async with client.subscribed("news", heard.append), client.subscribed(b"news", heard.append):
        assert await client.execute("PUBLISH", "news", "1") == 1
        await client.execute("PING")
    assert heard == [b"1", b"1"]
    assert await client.execute("PUBLISH", "news", "2") == 0


async def test_a_cancelled_subscriber_leaves_no_subscription(client: RespClient) -> None:
    """Wherever it is cancelled, the channel is left."""

    async def listen() -> None:
        async with client.subscribed("news", lambda _: None):
            await asyncio.sleep(60)

    for turns in range(4):
        task = asyncio.create_task(listen())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await client.execute("PING")
    assert await client.execute("PUBSUB", "NUMSUB", "news") in ([b"news", 0], {b"news": 0})


async def test_invalidations_come_as_pushes(resp_valkey: Valkey, client: RespClient) -> None:
    """A connection that begins with tracking hears which keys others change."""
    heard: list[Any] = []
    begin = [["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p:"]]
    async with RespClient(resp_valkey.url, begin=begin) as tracking:
        leave = tracking.listen("invalidate", heard.append)
        await client.execute("SET", "p:1", "x")
        await client.execute("SET", "q:1", "x")
        while not heard:
            await tracking.execute("PING")
        leave()
        await client.execute("SET", "p:2", "x")
        await tracking.execute("PING")
        await tracking.execute("PING")
    assert heard == [[[b"p:1"]]]


async def test_closing_waits_for_replies_and_refuses_new_commands(resp_valkey: Valkey) -> None:
    """What was sent before is answered; afterwards nothing is left of the client."""
    before = asyncio.all_tasks()
    async with RespClient(resp_valkey.url, limits=Limits(max_in_flight=8)) as client:
        replies = [client.execute("ECHO", number) for number in range(100)]
    assert [int(reply.result()) for reply in replies] == list(range(100))
    with pytest.raises(NotConnectedError, match="not open"):
        client.execute("PING")
    assert not client.snapshot().connected or client.snapshot().in_flight == 0
    assert asyncio.all_tasks() <= before


async def test_a_client_opens_again(resp_valkey: Valkey) -> None:
    """The same object may be used by one block after another."""
    client = RespClient(resp_valkey.url)
    for _ in range(2):
        async with client:
            assert await client.execute("PING") == b"PONG"
