"""What belongs to one connection ends there."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.http import end_to_end
from loadpath.http.fields import index_of
from tests.unit.http.streams import fields, names


def passed_on(*given_: tuple[bytes, bytes]) -> list[bytes]:
    """Return the names that are passed on."""
    listed = list(given_)
    return [name for name, _ in end_to_end(listed, index_of(listed))]


def test_fields_of_one_hop_end() -> None:
    """Those that RFC 9110 names go, named by `Connection` or not."""
    hop = [
        b"Connection",
        b"Keep-Alive",
        b"Proxy-Connection",
        b"TE",
        b"Transfer-Encoding",
        b"Upgrade",
    ]
    assert passed_on((b"Accept", b"a"), *((name, b"") for name in hop), (b"X", b"y")) == [
        b"Accept",
        b"X",
    ]


def test_what_connection_names_ends() -> None:
    """Whatever their case, and in several lines."""
    assert passed_on(
        (b"Connection", b"X-Secret, close"),
        (b"x-secret", b"a"),
        (b"connection", b"X-Other"),
        (b"X-OTHER", b"b"),
        (b"X-Kept", b"c"),
    ) == [b"X-Kept"]


def test_connection_cannot_take_the_message_apart() -> None:
    """Host and length stay, or the message would be another one behind us."""
    kept = passed_on(
        (b"Connection", b"host, content-length"), (b"Host", b"a"), (b"Content-Length", b"5")
    )
    assert kept == [b"Host", b"Content-Length"]


@given(given_=fields, named=st.lists(names, max_size=3))
def test_the_rest_keeps_its_order(given_: list[tuple[bytes, bytes]], named: list[bytes]) -> None:
    """What is passed on is what was there, without what was named."""
    listed = [(b"Connection", b", ".join(named)), *given_]
    gone = {each.lower() for each in named}
    kept = end_to_end(listed, index_of(listed))
    lower = {b"te", b"keep-alive", b"proxy-connection"} | gone
    assert kept == [each for each in given_ if each[0].lower() not in lower]
