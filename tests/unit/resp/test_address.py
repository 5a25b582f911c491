"""Addresses are read as other clients read them, and a wrong one says what is wrong."""

import ssl
from typing import Any

import pytest

from loadpath.resp import Address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", Address()),
        ("valkey://cache.internal", Address(host="cache.internal")),
        (
            "redis://:pw@10.0.0.1:7000/3",
            Address(host="10.0.0.1", port=7000, password="pw", database=3),
        ),
        ("redis://me:p%40s@h/", Address(host="h", username="me", password="p@s")),
        ("redis://[::1]:7001", Address(host="::1", port=7001)),
        ("unix:///run/valkey.sock", Address(path="/run/valkey.sock")),
    ],
)
def test_a_url_is_an_address(url: str, expected: Address) -> None:
    """User, password, host, port and database are where redis-py has them."""
    assert Address.from_url(url) == expected


def test_rediss_speaks_tls_and_checks_the_certificate() -> None:
    """Without a context of the caller's own the system's authorities decide."""
    address = Address.from_url("rediss://h")
    assert address.tls is not None
    assert address.tls.verify_mode == ssl.CERT_REQUIRED
    own = ssl.create_default_context()
    assert Address.from_url("valkeys://h", tls=own).tls is own


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://h", "redis://"),
        ("h:6379", "redis://"),
        ("redis://h/cache", "database"),
        ("redis://h:70000", "url: Port out of range"),
        ("redis://h:0x", "url: Port could not"),
    ],
)
def test_a_url_of_something_else_is_refused(url: str, says: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError, match=says):
        Address.from_url(url)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": 0}, "port"),
        ({"database": -1}, "database"),
        ({"username": "me"}, "password"),
        ({"host": ""}, "host"),
    ],
)
def test_fields_that_make_no_sense_are_refused(wrong: dict[str, Any], says: str) -> None:
    """A wrong field is named when it is given."""
    with pytest.raises(ValueError, match=says):
        Address(**wrong)


def test_plain_tcp_takes_no_tls_context() -> None:
    """A context that would be ignored is an error: the password would travel in the clear."""
    with pytest.raises(ValueError, match="rediss"):
        Address.from_url("redis://h", tls=ssl.create_default_context())


def test_an_address_never_shows_its_password() -> None:
    """Neither a log line nor a traceback gives it away."""
    address = Address(password="secret")
    assert "secret" not in repr(address) + str(address)
    assert str(address) == "127.0.0.1:6379"
