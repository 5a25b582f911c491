"""Valkey's settings and its answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadpath.local import valkey, valkey_cluster
from loadpath.local.ports import LOOPBACK
from loadpath.local.valkey_server import Setting, answers, ask, checked_settings, render


def test_settings_are_quoted() -> None:
    """Paths with blanks, quotes and empty values arrive as they were given."""
    text = render({"dir": '/a "b"\\c', "save": "", "maxmemory": 5})
    assert text == 'dir "/a \\"b\\"\\\\c"\nsave ""\nmaxmemory "5"\n'


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Bad Name", 1, "is no Valkey setting"),
        ("requirepass", "", "requirepass is decided by loadpath"),
        ("cluster-announce-ip", "x", "cluster-announce-ip is decided by loadpath"),
        ("maxmemory", "1\nbind 0.0.0.0", "maxmemory must not contain control characters"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: Setting, message: str) -> None:
    """A setting that would break the file, or loopback, is refused by name."""
    with pytest.raises(ValueError, match=message):
        checked_settings({name: value})


async def test_arguments_are_checked_before_anything_starts() -> None:
    """A wrong policy, port or number of nodes costs no server and no folder."""
    with pytest.raises(ValueError, match="fsync must be one of"):
        await valkey(fsync="sometimes").__aenter__()  # type: ignore[arg-type] # what is refused
    with pytest.raises(ValueError, match="port must be"):
        await valkey(port=0).__aenter__()
    with pytest.raises(ValueError, match="masters must be at least 3"):
        await valkey_cluster(masters=2).__aenter__()


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[int]:
    """Run something that answers everything with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (b"+OK\r\n+PONG\r\n", "PONG"),
        (b"+OK\r\n$4\r\na\r\nb\r\n", "a\r\nb"),
        (b"+OK\r\n-LOADING loading the dataset\r\n", None),
        (b"-WRONGPASS invalid\r\n+PONG\r\n", None),
        (b"+OK\r\n$400\r\ncut short", None),
        (b"+OK\r\n$no\r\n", None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
        (b"", None),
    ],
)
async def test_only_a_proper_answer_counts(reply: bytes, answer: str | None) -> None:
    """A loading server, a wrong password, another program or a cut line is no answer."""
    async with answering(reply) as port:
        assert await ask(port, "secret", "PING") == answer
        assert await answers(port, "secret") is (answer == "PONG")
