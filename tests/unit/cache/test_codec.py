"""What is encoded comes back; everything else is told apart and never an accident."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.codec import HEAD, VERSION, Stored, check_type, decode, encode
from loadpath.cache.errors import NotStorableError, UndecodableError

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
STAMP = b"1764040000000000"


@given(value=values, tags=st.lists(st.text(min_size=1), max_size=3).map(tuple))
def test_what_goes_in_comes_out(value: Any, tags: tuple[str, ...]) -> None:
    """Value, tags, times and stamp."""
    data = VERSION + STAMP + encode(value, created=12.5, fresh=300.0, tags=tags)
    assert decode(data) == Stored(int(STAMP), 12.5, 300.0, tags, value, len(data))


@given(data=st.binary(max_size=200))
def test_garbage_is_undecodable_and_nothing_else(data: bytes) -> None:
    """No input raises anything but `UndecodableError`."""
    with pytest.raises(UndecodableError):
        decode(b"\x00" + data)
    with suppress(UndecodableError):
        decode(VERSION + data)


@given(value=values, cut=st.integers(1, 1000))
def test_a_truncated_entry_is_undecodable(value: Any, cut: int) -> None:
    """Half an entry is no entry."""
    data = VERSION + STAMP + encode(value, created=0.0, fresh=1.0)
    with pytest.raises(UndecodableError):
        decode(data[: max(0, len(data) - cut)])


def test_deep_nesting_is_undecodable() -> None:
    """A hostile value does not overflow the stack."""
    with pytest.raises(UndecodableError):
        decode(VERSION + STAMP + b"\x91" * 100_000)


@dataclass
class User:
    """A typed value."""

    id: int
    born: datetime


class Point(msgspec.Struct):
    """Another one."""

    x: int


def test_types_are_built_and_checked() -> None:
    """A dataclass comes back as one; a value of another shape is undecodable."""
    user = User(1, datetime(2000, 1, 1, tzinfo=UTC))
    data = VERSION + STAMP + encode(user, created=0.0, fresh=1.0)
    assert decode(data, User).value == user
    with pytest.raises(UndecodableError):
        decode(data, Point)


@pytest.mark.parametrize("value", [object(), 2**70, {"f": len}])
def test_what_cannot_travel_is_refused(value: object) -> None:
    """The error says what to return instead, and is a TypeError."""
    with pytest.raises(NotStorableError, match="builtin types, dataclasses"):
        encode(value, created=0.0, fresh=1.0)
    assert issubclass(NotStorableError, TypeError)


def test_the_head_tells_two_writes_apart() -> None:
    """Version and stamp, nothing more."""
    assert len(VERSION + STAMP) == HEAD


def test_a_type_that_cannot_be_built_is_refused() -> None:
    """Before anything is cached."""
    check_type(dict[str, int])
    with pytest.raises(TypeError):
        check_type(int | str | User | Point)
