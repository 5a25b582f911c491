"""The most specific route wins, whatever the order of the file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.checks.patterns import LONGEST
from loadpath.gateway.routing.hosts import host_of, parents
from loadpath.gateway.routing.table import Refusal, RouteTable
from loadpath.gateway.settings.routes import Match


def table(*matches: dict[str, Any]) -> RouteTable[int]:
    """Return a table that finds places."""
    return RouteTable((Match(**each), place) for place, each in enumerate(matches))


def find(made: RouteTable[int], path: str, host: str = "a.example.com", **given: Any) -> Any:
    """Look up a path."""
    fields = given.get("fields", {})
    return made.find(host, path, given.get("method", "GET"), fields)


def test_a_prefix_takes_whole_segments() -> None:
    """`/api` takes `/api` and what is below it, not `/apis`; a slash at its end means nothing."""
    for prefix in ("/api", "/api/"):
        made = table({"prefix": prefix})
        assert find(made, "/api") == 0
        assert find(made, "/api/user/profile/photo/1") == 0
        assert find(made, "/apis") == Refusal(())


def test_exact_before_longest_prefix_before_pattern() -> None:
    """In any order of the file."""
    made = table({"regex": "/a/.*"}, {"prefix": "/a"}, {"prefix": "/a/b"}, {"exact": "/a/b/c"})
    assert find(made, "/a/b/c") == 3
    assert find(made, "/a/b/d") == 2
    assert find(made, "/a/x") == 1
    assert find(table({"regex": "/x/.*"}, {"prefix": "/a"}), "/x/y") == 0


def test_more_conditions_go_first_and_the_rest_falls_through() -> None:
    """A canary by field beside the route for everybody."""
    made = table(
        {"prefix": "/a"},
        {"prefix": "/a", "headers": {"X-Canary": "1"}},
        {"prefix": "/a", "methods": ("POST",), "headers": {"X-Canary": "*"}},
    )
    assert find(made, "/a") == 0
    assert find(made, "/a", fields={b"x-canary": b"1"}) == 1
    assert find(made, "/a", fields={b"x-canary": b"2"}) == 0
    assert find(made, "/a", method="POST", fields={b"x-canary": b"2"}) == 2


def test_hosts() -> None:
    """The host itself, then wildcards from the longest, then routes for all; paths fall through."""
    made = table(
        {},
        {"hosts": ("*.example.com",), "prefix": "/w"},
        {"hosts": ("a.example.com",), "prefix": "/a"},
        {"hosts": ("*.a.example.com",), "prefix": "/w"},
    )
    assert find(made, "/a", "a.example.com") == 2
    assert find(made, "/w", "a.example.com") == 1
    assert find(made, "/w", "x.a.example.com") == 3
    assert find(made, "/w", "x.y.example.com") == 1
    assert find(made, "/w", "example.com") == 0
    assert find(made, "/", "other.org") == 0


def test_methods_that_would_be_taken_are_told() -> None:
    """405 with `Allow`, where another method has a route; 404 where none has."""
    made = table({"exact": "/a", "methods": ("PUT", "GET")}, {"prefix": "/a", "methods": ("HEAD",)})
    assert find(made, "/a", method="DELETE") == Refusal(("GET", "HEAD", "PUT"))
    assert find(made, "/b", method="DELETE") == Refusal(())


def test_long_paths_match_no_pattern() -> None:
    """The bound of what a pattern may cost."""
    made = table({"regex": "/.*"})
    assert find(made, "/" + "a" * (LONGEST - 1)) == 0
    assert find(made, "/" + "a" * LONGEST) == Refusal(())


SEGMENTS = st.lists(st.sampled_from("ab"), max_size=4).map(lambda each: "/" + "/".join(each))


@given(prefixes=st.lists(SEGMENTS, unique=True, max_size=8), path=SEGMENTS)
def test_prefixes_agree_with_looking_at_each(prefixes: list[str], path: str) -> None:
    """The table finds what a loop over all of them finds."""
    made = table(*({"prefix": each} for each in prefixes))
    fitting = [
        (len(each.rstrip("/")), place)
        for place, each in enumerate(prefixes)
        if path == each or path.startswith(each.rstrip("/") + "/")
    ]
    wanted = max(fitting)[1] if fitting else Refusal(())
    assert find(made, path) == wanted


@pytest.mark.parametrize(
    ("authority", "host"),
    [(b"A.Example.com:80", "a.example.com"), (b"a.", "a"), (b"[::1]:80", "[::1]"), (b"", "")],
)
def test_host_of(authority: bytes, host: str) -> None:
    """Lower case, without port and dot."""
    assert host_of(authority) == host


def test_parents() -> None:
    """The longest first."""
    assert parents("a.b.c") == ["b.c", "c"]
