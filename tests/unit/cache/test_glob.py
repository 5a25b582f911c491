"""Patterns match whole keys, and only what they say."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.glob import for_server, is_literal, literal, matcher, plain

texts = st.text(alphabet="ab:*?\\[]^-.é\n", min_size=1, max_size=8)


@given(text=texts, other=texts)
def test_a_literal_matches_itself_only(text: str, other: str) -> None:
    """Whatever special characters it has."""
    pattern = literal(text)
    assert is_literal(pattern)
    assert plain(pattern) == text
    assert matcher(pattern)(text)
    assert matcher(pattern)(other) is (text == other)


@given(
    pattern=st.text(alphabet="ab*?", min_size=1, max_size=6), key=st.text(alphabet="ab", max_size=8)
)
def test_agrees_with_shell_globs(pattern: str, key: str) -> None:
    """Without brackets, as the standard library reads them."""
    assert matcher(pattern)(key) is fnmatchcase(key, pattern)


def test_patterns_are_anchored() -> None:
    """`user:1` is neither `user:10` nor `superuser:1`."""
    matches = matcher("user:1")
    assert matches("user:1")
    assert not matches("user:10")
    assert not matches("superuser:1")


def test_the_servers_special_characters_are_escaped() -> None:
    """Brackets are plain text for us; a question mark is a whole character, not a byte."""
    assert for_server("a[1]?\\*^") == r"a\[1\]*\*\^"


@pytest.mark.parametrize("pattern", ["", "a\\"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """An empty one and one that ends in the middle of an escape."""
    with pytest.raises(ValueError, match="pattern"):
        matcher(pattern)
