"""PostgreSQL's binary formats, cut anywhere, become the numbers that were sent."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.record.columns import BinaryGroups, BinaryRows, from_array

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_int4 = st.integers(-(2**31), 2**31 - 1)
_int8 = st.integers(-(2**63), 2**63 - 1)
_cuts = st.lists(st.integers(0, 400), max_size=6)


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[a:b] for a, b in pairwise(ends)]


@given(rows=st.lists(st.tuples(_int4, _int8), max_size=12), cuts=_cuts)
def test_rows_survive_any_cut(rows: list[tuple[int, int]], cuts: list[int]) -> None:
    """Header, rows and trailer may arrive in any pieces."""
    body = b"".join(struct.pack(">hiiiq", 2, 4, a, 8, b) for a, b in rows)
    parser, found = BinaryRows(4, 8), []
    for piece in _pieces(HEADER + body + TRAILER, cuts):
        out = parser.feed(piece)
        found += list(zip(out["f0"].tolist(), out["f1"].tolist(), strict=True))
    parser.close()
    assert found == rows


@given(groups=st.lists(st.tuples(_int4, st.lists(_int4, max_size=6)), max_size=8), cuts=_cuts)
def test_groups_survive_any_cut(groups: list[tuple[int, list[int]]], cuts: list[int]) -> None:
    """Each value comes with the key of its row, empty groups with nothing."""
    body = b"".join(
        struct.pack(">hiii", 2, 4, key, 4 * len(values)) + struct.pack(f">{len(values)}i", *values)
        for key, values in groups
    )
    parser, found = BinaryGroups(), []
    for piece in _pieces(HEADER + body + TRAILER, cuts):
        keys, values = parser.feed(piece)
        found += list(zip(keys.tolist(), values.tolist(), strict=True))
    parser.close()
    assert found == [(key, value) for key, values in groups for value in values]


@given(values=st.lists(_int8, min_size=1, max_size=9))
def test_arrays_are_read(values: list[int]) -> None:
    """As `array_send` makes them."""
    sent = struct.pack(">iiiii", 1, 0, 20, len(values), 1)
    sent += b"".join(struct.pack(">iq", 8, value) for value in values)
    assert from_array(sent, 8).tolist() == values


@pytest.mark.parametrize("sent", [None, b"", struct.pack(">iii", 0, 0, 20)])
def test_no_array_and_an_empty_one_hold_nothing(sent: bytes | None) -> None:
    """An aggregate over no rows is NULL."""
    assert from_array(sent, 8).tolist() == []


@pytest.mark.parametrize("parser", [BinaryRows(4, 4), BinaryGroups()])
def test_stream_that_breaks_off_is_an_error(parser: BinaryRows | BinaryGroups) -> None:
    """Half a graph must never pass for a whole one."""
    parser.feed(HEADER + b"\x00\x02\x00")
    with pytest.raises(ValueError, match="ended in the middle"):
        parser.close()
