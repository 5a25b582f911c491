"""Only trusted proxies are believed, and only from the right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.passing.clients import TrustedProxies
from loadpath.gateway.passing.forwarded import forwarded_element, read_forwarded

TRUSTED = TrustedProxies(["10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("neighbour", "listed", "client"),
    [
        ("192.0.2.1", b"1.2.3.4", "192.0.2.1"),
        ("10.0.0.1", b"1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", b"6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        ("10.0.0.1", b"10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"1.2.3.4, nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", b"1.2.3.4:567", "1.2.3.4"),
        ("::1", b"[2001:db8::1]:80", "2001:db8::1"),
        ("::ffff:10.0.0.1", b"1.2.3.4", "1.2.3.4"),
    ],
)
def test_walks_from_the_right(neighbour: str, listed: bytes, client: str) -> None:
    """Past trusted proxies to the first other address; what is left of it may be made up."""
    index = {b"x-forwarded-for": listed} if listed else {}
    assert TRUSTED.told(neighbour, "http", index).client == client


def test_forwarded_goes_before_the_older_fields() -> None:
    """With the scheme and the host of the same element."""
    index = {
        b"forwarded": b'for=6.6.6.6;proto=http, for="[2001:db8::2]:1";proto=https;host=a.example, '
        b"for=10.0.0.2",
        b"x-forwarded-for": b"2001:db8::2, 10.0.0.2",
        b"x-forwarded-proto": b"http",
    }
    told = TRUSTED.told("10.0.0.1", "http", index)
    assert (told.client, told.scheme, told.authority) == ("2001:db8::2", "https", b"a.example")


def test_two_fields_that_name_different_clients_are_not_believed() -> None:
    """One of them came from the client itself, past a proxy that writes the other only."""
    index = {b"forwarded": b"for=9.9.9.9", b"x-forwarded-for": b"1.2.3.4"}
    told = TRUSTED.told("10.0.0.1", "http", index)
    assert told.disputed
    assert (told.client, told.believed) == ("10.0.0.1", False)
    for forwarded in (b"for=10.9.9.9", b"for=1.2.3.4, ;;", b"for=_hidden", b"for=1.2.3.4"):
        told = TRUSTED.told("10.0.0.1", "http", {**index, b"forwarded": forwarded})
        assert (told.client, told.disputed) == ("1.2.3.4", False)


@pytest.mark.parametrize("host", [b"\xff", b"[::1", b"a b", b"x;for=6.6.6.6", b"a/b", b"x:99999"])
def test_what_is_no_host_is_not_taken_for_one(host: bytes) -> None:
    """A client can send it through a proxy that does not look."""
    assert TRUSTED.told("10.0.0.1", "http", {b"x-forwarded-host": host}).authority == b""
    quoted = b'for=1.2.3.4;host="%b"' % host
    assert TRUSTED.told("10.0.0.1", "http", {b"forwarded": quoted}).authority == b""


def test_hidden_and_broken_elements_end_the_walk() -> None:
    """`unknown`, `_secret` and what is no list say nothing of what is left of them."""
    for value in (b"for=1.2.3.4, for=unknown", b"for=1.2.3.4, for=_x", b"for=1.2.3.4, ;;"):
        assert TRUSTED.told("10.0.0.1", "http", {b"forwarded": value}).client == "10.0.0.1"


def test_scheme_and_host_of_a_trusted_proxy() -> None:
    """Of several the last, written by our neighbour; nonsense is no scheme."""
    index = {b"x-forwarded-proto": b"http, https", b"x-forwarded-host": b"b, a.example:81"}
    told = TRUSTED.told("10.0.0.1", "http", index)
    assert (told.scheme, told.authority) == ("https", b"a.example:81")
    assert TRUSTED.told("10.0.0.1", "http", {b"x-forwarded-proto": b"ftp"}).scheme == "http"
    assert TRUSTED.told("1.2.3.4", "http", index).scheme == "http"


@given(st.binary(max_size=60))
def test_nothing_that_is_sent_breaks_it(value: bytes) -> None:
    """Whatever a client writes, an address comes out."""
    index = {b"forwarded": value, b"x-forwarded-for": value}
    assert TRUSTED.told("10.0.0.1", "http", index).client
    assert TRUSTED.told("10.0.0.1", "http", {b"x-forwarded-for": value}).client


@pytest.mark.parametrize(
    ("client", "host"), [("192.0.2.1", b"a"), ("2001:db8::1", b"a:80"), ("::1", b"[::1]:80")]
)
def test_what_is_written_is_read(client: str, host: bytes) -> None:
    """Our own element, also with IPv6 and a port."""
    (element,) = read_forwarded(forwarded_element(client, "https", host))
    assert element["for"].strip("[]") == client
    assert element["proto"] == "https"
    assert element["host"] == host.decode()
