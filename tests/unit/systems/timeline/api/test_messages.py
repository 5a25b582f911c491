"""Texts are stored in one form, and only those that the rules allow."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.api.messages import Post, composed
from loadpath.systems.timeline.record.model import StoredPost


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=90))
def test_texts_are_composed(text: str) -> None:
    """Whatever form a text comes in, NFC is what comes out, and once is enough."""
    once = composed(unicodedata.normalize("NFD", text))
    assert once == unicodedata.normalize("NFC", text)
    assert composed(once) == once


def test_the_length_counts_composed_characters() -> None:
    """280 syllables of Hangul fit, however the client spells them."""
    spelled_out = unicodedata.normalize("NFD", "각" * 280)
    assert len(spelled_out) == 840
    assert len(composed(spelled_out)) == 280


@pytest.mark.parametrize("text", ["a" * 280, "👩‍👩‍👧" * 40, "a\nb", "'; DROP TABLE posts; --"])
def test_allowed_texts(text: str) -> None:
    """Newlines, joined emoji and SQL are only text."""
    assert composed(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1-280"),
        ("a" * 281, "not 281"),
        ("\0", r"U\+0000"),
        ("a\tb", r"U\+0009"),
        ("a\r\nb", r"U\+000D"),
        ("\x7f", r"U\+007F"),
        ("\x9b31m", r"U\+009B"),
    ],
)
def test_refused_texts(text: str, why: str) -> None:
    """Empty, long and controlling texts are refused, and the message says why."""
    with pytest.raises(ValueError, match=why):
        composed(text)


def test_a_text_too_long_to_become_short_is_not_composed() -> None:
    """Composing takes quadratic time, so a flood of marks is refused as it came."""
    marks = "a" + "\u0315" * 4_000 + "\u0301"
    with pytest.raises(ValueError, match="not 4002"):
        composed(marks)
    most = "\u03b1\u0313\u0301\u0345" * 280
    assert composed(most) == "\u1f84" * 280


def test_a_post_shows_the_time_in_its_id() -> None:
    """The time of a post is part of its id, exact to the millisecond."""
    post = Post.of(StoredPost(1 << 22, "alice", "hi"))
    assert post.id == "4194304"
    assert post.created_at.isoformat() == "2024-01-01T00:00:00.001000+00:00"


@pytest.mark.parametrize(
    "text", [" ", "\n", "\u200b", "\ufeff\u00a0", "a\u2028b", "a\u202eb", "\u2066"]
)
def test_texts_that_show_nothing_or_turn_the_page_around_are_refused(text: str) -> None:
    """Blank and invisible posts, line separators and bidirectional controls."""
    with pytest.raises(ValueError, match="must"):
        composed(text)
