"""Replies go to the oldest command without one, whatever is cancelled and however bytes arrive."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resp import CommandError, Limits, NotConnectedError, ReplyLostError
from loadpath.resp.connection import Confirmation, Connection
from loadpath.resp.encoding import pack


class Wire(asyncio.Transport):
    """Keep what is written, as a socket would carry it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        """Keep one write."""
        self.writes.append(bytes(data))

    def abort(self) -> None:
        """End, as a transport does: soon, and once."""
        if not self.aborted:
            self.aborted = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)


def wired(**limits: Any) -> tuple[Connection, Wire]:
    """Return a connection on a wire of the test's own."""
    connection = Connection(Limits(**limits), on_push=lambda _: None, on_room=lambda: None)
    wire = Wire(connection)
    connection.connection_made(wire)
    return connection, wire


def sent(connection: Connection, *words: str) -> "asyncio.Future[Any]":
    """Send a command and return its reply."""
    reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.send(pack(words), reply)
    return reply


async def turn() -> None:
    """Let the loop run what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


@given(
    commands=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 40), max_size=60),
    chance=st.randoms(use_true_random=False),
)
def test_a_cancellation_never_shifts_a_reply(
    commands: list[tuple[bool, bool]], cuts: list[int], chance: Any
) -> None:
    """Each command that was not cancelled gets its own reply, error or not, byte by byte or all."""

    async def scenario() -> None:
        connection, _ = wired()
        replies = [sent(connection, "ECHO", str(number)) for number in range(len(commands))]
        answer = b"".join(
            b"-ERR %d\r\n" % number if fails else b"$%d\r\n%d\r\n" % (len(str(number)), number)
            for number, (_, fails) in enumerate(commands)
        )
        waves = list(range(len(commands)))
        chance.shuffle(waves)
        while answer:
            for number in waves[: chance.randint(0, 5)]:
                if commands[number][0]:
                    replies[number].cancel()
            size = cuts.pop() if cuts else len(answer)
            connection.data_received(answer[:size])
            answer = answer[size:]
        assert connection.in_flight == 0
        for number, (reply, (_, fails)) in enumerate(zip(replies, commands, strict=True)):
            if reply.cancelled():
                continue
            if fails:
                assert str(reply.exception()) == f"ERR {number}"
            else:
                assert reply.result() == str(number).encode()
        connection.drop(ConnectionError("the test is over"))
        await connection.lost

    asyncio.run(scenario())


async def test_commands_of_one_turn_leave_in_one_write() -> None:
    """Many tasks cost one system call."""
    connection, wire = wired()
    for number in range(100):
        sent(connection, "ECHO", str(number))
    assert wire.writes == []
    await turn()
    assert len(wire.writes) == 1
    assert wire.writes[0].count(b"ECHO") == 100
    connection.connection_lost(None)


async def test_what_was_not_written_is_not_in_doubt() -> None:
    """After a loss a command that never left may be repeated; one that left is in doubt."""
    connection, _ = wired()
    written = sent(connection, "INCR", "a")
    await turn()
    unwritten = sent(connection, "INCR", "b")
    connection.connection_lost(ConnectionResetError("reset by the test"))
    with pytest.raises(ReplyLostError, match="reset by the test"):
        await written
    with pytest.raises(NotConnectedError, match="reset by the test"):
        await unwritten
    assert isinstance(await connection.lost, ConnectionResetError)
    assert not connection.has_room


async def test_pushes_do_not_take_the_place_of_replies() -> None:
    """A push between two replies reaches the listener only; a confirmation its subscriber."""
    heard: list[Any] = []
    connection = Connection(Limits(), on_push=heard.append, on_room=lambda: None)
    connection.connection_made(Wire(connection))
    first = sent(connection, "PING")
    confirmation = Confirmation()
    connection.send(pack(["SUBSCRIBE", "a"]), confirmation)
    second = sent(connection, "ECHO", "2")
    connection.data_received(b">3\r\n+message\r\n+b\r\n+early\r\n+PONG\r\n")
    connection.data_received(
        b">3\r\n+subscribe\r\n+a\r\n:1\r\n>3\r\n+message\r\n+a\r\n+x\r\n+2\r\n"
    )
    assert [await first, await confirmation, await second] == [b"PONG", None, b"2"]
    assert heard == [[b"message", b"b", b"early"], [b"message", b"a", b"x"]]
    connection.connection_lost(None)


async def test_a_refused_subscription_shifts_nothing() -> None:
    """The error takes the place of the confirmation."""
    connection, _ = wired()
    confirmation = Confirmation()
    connection.send(pack(["SUBSCRIBE", "a"]), confirmation)
    second = sent(connection, "ECHO", "2")
    connection.data_received(b"-NOPERM no\r\n+2\r\n")
    with pytest.raises(CommandError, match="NOPERM"):
        await confirmation
    assert await second == b"2"
    connection.connection_lost(None)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$abc\r\n",
        b"+PONG\r\n+one too many\r\n",
        b"%1\r\n*1\r\n:1\r\n:1\r\n",
    ],
    ids=["http", "length", "unasked", "unhashable"],
)
async def test_garbage_ends_the_connection(garbage: bytes) -> None:
    """Once the order of replies is unknown, no reply is believed."""
    connection, wire = wired()
    first = sent(connection, "PING")
    await turn()
    connection.data_received(garbage)
    assert wire.aborted
    late = await connection.lost
    assert "RESP3" in str(late)
    if not garbage.startswith(b"+"):
        with pytest.raises(ReplyLostError):
            await first


async def test_an_error_inside_an_array_is_a_value() -> None:
    """The rest of the array is not lost with it."""
    connection, _ = wired()
    reply = sent(connection, "ANY")
    connection.data_received(b"*2\r\n-ERR x\r\n:1\r\n")
    error, number = await reply
    assert isinstance(error, CommandError)
    assert number == 1
    connection.connection_lost(None)


async def test_no_more_are_in_flight_than_allowed() -> None:
    """A cancelled command keeps its place until its reply came."""
    connection, _ = wired(max_in_flight=2)
    one, two = sent(connection, "PING"), sent(connection, "PING")
    assert not connection.has_room
    one.cancel()
    assert not connection.has_room
    connection.data_received(b"+PONG\r\n")
    assert connection.has_room
    assert not two.done()
    two.cancel()
    connection.pause_writing()
    assert not connection.has_room
    connection.resume_writing()
    assert connection.has_room
    connection.connection_lost(None)
