"""Paths have one form, and what two readers could read differently is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.routing.paths import normalised
from loadpath.http import ProtocolError

SAME = {
    "/": "/", "/a/b": "/a/b", "//a///b": "/a/b", "/a/./b": "/a/b", "/a/../b": "/b", "/a/..": "/",
    "/a/b/..": "/a/", "/a/.": "/a/", "/%61%2D%7e": "/a-~", "/a%2fb": "/a%2Fb", "/a/%2e%2e/b": "/b",
    "/a/%2E./b": "/b", "/.well-known/x": "/.well-known/x", "/a;v=1": "/a;v=1", "/..a": "/..a",
    "/a%20b": "/a%20b", "/%252e%252e": "/%252e%252e", "/a..": "/a..",
}  # fmt: skip


@pytest.mark.parametrize("path", SAME)
def test_normalises(path: str) -> None:
    """By RFC 3986, and slashes in a row are one."""
    assert normalised(path) == SAME[path]


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../a", "/a/../..", "/%2e%2e/a", "/a/..%2fb", "/a/..%5cb", "/a/..;x/b",
        "/a/%2e%2e;/b", "/a%2f..", "/%zz", "/%", "/a%2", "/%00", "/a/..%3b/b",
    ],
)  # fmt: skip
def test_refuses(path: str) -> None:
    """It climbs above the root, is no escape, or hides `..` from us."""
    with pytest.raises(ProtocolError):
        normalised(path)


PIECES = st.sampled_from(
    ["/", "a", "b", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", ";", "%61", "//", "%20", "c.d"]
)


@given(st.lists(PIECES, max_size=12))
def test_is_stable_and_holds_no_dots(pieces: list[str]) -> None:
    """The form of a form is itself; no segment of it, however a reader decodes it, is `..`."""
    path = "/" + "".join(pieces)
    try:
        found = normalised(path)
    except ProtocolError:
        return
    assert normalised(found) == found
    assert found.startswith("/")
    assert "//" not in found
    decoded = found.replace("%2F", "/").replace("%5C", "/").replace("%2E", ".")
    segments = [each.partition(";")[0] for each in decoded.split("/")]
    assert ".." not in segments
