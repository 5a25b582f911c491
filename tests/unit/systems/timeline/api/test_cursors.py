"""Cursors open the page they were made for, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.api.cursors import CursorError, Cursors

cursors = Cursors(b"secret")
ids = st.integers(0, (1 << 63) - 1)


@given(scope=st.text(max_size=20), last=ids)
def test_a_cursor_gives_back_its_id(scope: str, last: int) -> None:
    """What was encoded for a list decodes for that list."""
    assert cursors.decode(scope, cursors.encode(scope, last)) == last


@given(last=ids)
def test_a_cursor_fits_one_list(last: int) -> None:
    """A cursor of one user's list opens no other user's."""
    with pytest.raises(CursorError):
        cursors.decode("home:2", cursors.encode("home:1", last))


@given(last=ids)
def test_another_record_refuses_the_cursor(last: int) -> None:
    """A cursor signed with another secret is forged."""
    with pytest.raises(CursorError):
        Cursors(b"other").decode("home:1", cursors.encode("home:1", last))


@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True))
def test_made_up_cursors_are_refused(cursor: str) -> None:
    """Whatever a client makes up is a CursorError and nothing else."""
    with pytest.raises(CursorError):
        cursors.decode("home:1", cursor)


@given(last=ids, at=st.integers(0, 21), character=st.sampled_from("ABCxyz019-_=+/\u00e9"))
def test_a_changed_character_is_refused(last: int, at: int, character: str) -> None:
    """Damage to any character is found, also to the bits that base64 decoders ignore."""
    cursor = cursors.encode("home:1", last)
    damaged = cursor[:at] + character + cursor[at + 1 :]
    if damaged != cursor:
        with pytest.raises(CursorError):
            cursors.decode("home:1", damaged)


def test_the_secret_must_not_be_empty() -> None:
    """Cursors without a secret would be forgeable by everybody."""
    with pytest.raises(ValueError, match="secret"):
        Cursors(b"")
