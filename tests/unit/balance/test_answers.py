"""What servers answer is read strictly; nothing that they say breaks the reader."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance.answers import (
    ProbeFailedError,
    chunk_size,
    http_head,
    postgres_refusal,
    postgres_startup,
    printable,
    redis_command,
    redis_says,
)
from loadpath.core.errors import LoadpathError


def test_a_head_is_read() -> None:
    """Status, fields in lower case without their spaces, framing."""
    head = http_head(
        b"HTTP/1.1 200 OK\r\nContent-Length:  12 \r\nX-A: \xe9\r\n"
        b"Transfer-Encoding: Chunked\r\n\r\n"
    )
    assert head.status == 200
    assert head.fields[b"x-a"] == b"\xe9"
    assert (head.length, head.chunked) == (12, True)
    empty = http_head(b"HTTP/1.0 204\r\n\r\n")
    assert (empty.length, empty.chunked) == (None, False)


@given(data=st.binary(max_size=200))
def test_nothing_breaks_the_readers(data: bytes) -> None:
    """Anything is read or refused with a reason."""
    for read in (http_head, chunk_size, postgres_refusal, lambda line: redis_says(line, b"PONG")):
        with suppress(ProbeFailedError):
            read(data)
    with suppress(ProbeFailedError):
        http_head(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "size"), [(b"0\r\n", 0), (b"1aF\r\n", 431), (b"5 ;name=value\r\n", 5)]
)
def test_chunk_sizes_are_read(line: bytes, size: int) -> None:
    """Hexadecimal, with extensions."""
    assert chunk_size(line) == size


@pytest.mark.parametrize("line", [b"\r\n", b"-1\r\n", b"0x5\r\n", b"123456789\r\n", b"5"])
def test_wrong_chunk_sizes_are_refused(line: bytes) -> None:
    """Signs, prefixes and sizes that no probe would read."""
    with pytest.raises(ProbeFailedError, match="wrong chunk"):
        chunk_size(line)


def test_commands_and_messages_are_as_their_protocols_say() -> None:
    """RESP counts bytes; PostgreSQL's startup counts itself."""
    assert redis_command("AUTH", "pä") == b"*2\r\n$4\r\nAUTH\r\n$3\r\np\xc3\xa4\r\n"
    startup = postgres_startup("me", "db")
    assert int.from_bytes(startup[:4], "big") == len(startup)
    assert startup[4:] == b"\x00\x03\x00\x00user\x00me\x00database\x00db\x00\x00"


def test_reasons_are_short_and_printable() -> None:
    """Whatever a server sends, a log line stays a line."""
    assert printable(b"a\x1b[2J\r\nb\xff") == r"'a\x1b[2J\r\nb\\xff'"
    assert len(printable(b"x" * 10_000)) < 100


def test_a_failed_check_is_what_callers_catch() -> None:
    """An error of the house, and a ConnectionError."""
    assert issubclass(ProbeFailedError, LoadpathError)
    assert issubclass(ProbeFailedError, ConnectionError)
