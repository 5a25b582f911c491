"""Patterns that a client could make slow are refused, usual ones are not."""

import re
import time

import pytest

from loadpath.gateway.checks.patterns import LONGEST, pattern_problem

GOOD = [
    "/users/[^/]+/posts/[^/]+", r"/a/(?P<id>\d+)/x", "/(en|de)/.*", r"/api/v(\d+)(/.*)?",
    "[^/]++.*+", r"/files/(.*)\.(png|jpg)", "/x", "/a{3}b", "(?i)/search", "(?>/a+)b",
]  # fmt: skip

BAD = [
    "(a+)+", "(a+){5}", "(?:/[a-z]+)*", "(a|ab)*c", r"(.)\1", "/a(?=b)", "(?<=a)b", "(",
    "/a/(.*)/(.*)/(.*)/(.*)", ".*x.*y.*z.*w", "a" * 600,
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_takes(pattern: str) -> None:
    """These are what routes are written with."""
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize("pattern", BAD)
def test_refuses(pattern: str) -> None:
    """The reason says what to write instead."""
    assert pattern_problem(pattern)


@pytest.mark.parametrize("pattern", [*GOOD, ".*a.*b"])
@pytest.mark.parametrize("text", ["/" + "a" * LONGEST, "/a" * 512, "/a/b" * 256 + "!"])
def test_what_is_taken_is_matched_at_once(pattern: str, text: str) -> None:
    """The worst path does not hold the loop; an exploding pattern would never come back here."""
    compiled = re.compile(pattern)
    start = time.process_time()
    compiled.fullmatch(text[:LONGEST])
    assert time.process_time() - start < 1.0
