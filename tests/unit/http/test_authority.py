"""A host is a host, with or without a port, and nothing else."""

import pytest

from loadpath.http import ProtocolError
from loadpath.http.authority import checked_authority


@pytest.mark.parametrize(
    "value",
    [
        b"a",
        b"example.com",
        b"a_b.example",
        b"127.0.0.1",
        b"a:1",
        b"a:65535",
        b"a:",
        b"[::1]",
        b"[2001:db8::1]:8080",
        b"xn--bcher-kva.example",
        b"a%20b",
    ],
)
def test_a_host_is_taken_as_it_is(value: bytes) -> None:
    """Names, addresses and ports pass unchanged."""
    assert checked_authority(value) == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":80",
        b"a:0",
        b"a:65536",
        b"a:123456",
        b"a:b",
        b"a b",
        b"a,b",
        b"a/b",
        b"a@b",
        b"a?b",
        b"a#b",
        b"::1",
        b"[::1",
        b"[]",
        b"[1.2.3.4]",
        b"[::1]a",
        b"[fe80::1%25eth0]",
        b"a\n",
        "é".encode(),
    ],
)
def test_anything_else_is_refused(value: bytes) -> None:
    """The message says what it is about."""
    with pytest.raises(ProtocolError, match="the target"):
        checked_authority(value, what="the target")
