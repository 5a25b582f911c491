"""What upstreams are asked in place of what was asked."""

from typing import Any

import pytest

from loadpath.gateway.routing.rewriting import Rewriting
from loadpath.gateway.settings.routes import Match, Rewrite


@pytest.mark.parametrize(
    ("match", "rewrite", "path", "wanted"),
    [
        ({"prefix": "/api"}, {"prefix": "/v1"}, "/api/a", "/v1/a"),
        ({"prefix": "/api"}, {"prefix": "/v1"}, "/api", "/v1"),
        ({"prefix": "/api"}, {"prefix": "/"}, "/api/a", "/a"),
        ({"prefix": "/api"}, {"prefix": "/"}, "/api", "/"),
        ({"prefix": "/api/"}, {"prefix": "/v1/"}, "/api/", "/v1/"),
        ({"prefix": "/"}, {"prefix": "/v1"}, "/a", "/v1/a"),
        ({"exact": "/a"}, {"path": "/b/c"}, "/a", "/b/c"),
        ({"regex": "/u/([^/]+)/(?P<x>.*)"}, {"path": r"/\g<x>/\1"}, "/u/7/a/b", "/a/b/7"),
        ({"regex": "/u(/a)?"}, {"path": r"\1"}, "/u", "/"),
        ({"prefix": "/a"}, {}, "/a/b", "/a/b"),
    ],
)
def test_rewrites(match: dict[str, Any], rewrite: dict[str, Any], path: str, wanted: str) -> None:
    """By prefix, whole, or by the groups of a pattern."""
    made = Rewriting(Match(**match), Rewrite(**rewrite))
    assert made.path(path) == wanted
    assert made.changes is bool(rewrite)
