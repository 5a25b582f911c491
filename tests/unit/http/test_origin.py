"""An origin is a server's address, read strictly."""

import pytest

from loadpath.http import Origin


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://a", Origin("a", 80), b"a"),
        ("http://a:8080/", Origin("a", 8080), b"a:8080"),
        ("https://a", Origin("a", 443, tls=True), b"a"),
        ("https://a:80", Origin("a", 80, tls=True), b"a:80"),
        ("http://[::1]:80", Origin("::1", 80), b"[::1]"),
        ("http://127.0.0.1:81", Origin("127.0.0.1", 81), b"127.0.0.1:81"),
    ],
)
def test_an_address_is_read(url: str, origin: Origin, authority: bytes) -> None:
    """Scheme, host and port; `Host` leaves the usual port out."""
    assert Origin.parse(url) == origin
    assert origin.authority == authority
    assert Origin.parse(str(origin)) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:80",
        "ftp://a",
        "http://",
        "http://a/path",
        "http://a?q",
        "http://a#f",
        "http://me@a",
        "http://a:0",
        "http://a:65536",
        "http://a:b",
        "http://a b",
        "http://é",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    """The error is the caller's."""
    with pytest.raises(ValueError, match=r"origin|host|port|Port"):
        Origin.parse(url)


def test_another_name_is_another_origin() -> None:
    """Connections under one certificate name are not used for another."""
    assert Origin.parse("https://a", server_name="b") != Origin.parse("https://a")
