"""Framers take what is theirs and leave the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.http import CHUNKED, UNTIL_CLOSE, Limits, ProtocolError, TruncatedError
from loadpath.http.bodies import ChunkedFramer, Framer, LengthFramer, framer_for
from tests.unit.http.streams import chunked, cuts, pieces


def take(framer: Framer, came: list[bytes]) -> tuple[bytes, bytes]:
    """Feed a framer; return the body and what it left."""
    body, kept = b"", b""
    for piece in came:
        data, at, got = kept + piece, 0, b"-"
        while got and not framer.done:
            got, at = framer.feed(data, at)
            body += got
        kept = data[at:]
    return body, kept


@given(data=st.data(), parts=pieces, behind=st.binary(max_size=20))
def test_chunks_come_out_joined(data: st.DataObject, parts: list[bytes], behind: bytes) -> None:
    """In whatever pieces they come, the body is theirs and what follows is left."""
    came = data.draw(cuts(chunked(parts) + behind))
    framer = framer_for(CHUNKED, Limits())
    assert take(framer, came) == (b"".join(parts), behind)
    framer.end()


@given(data=st.data(), body=st.binary(max_size=60), behind=st.binary(max_size=20))
def test_a_length_is_taken_exactly(data: st.DataObject, body: bytes, behind: bytes) -> None:
    """Not a byte more, not a byte less."""
    framer = framer_for(len(body), Limits())
    assert take(framer, data.draw(cuts(body + behind))) == (body, behind)
    assert framer.done


def test_until_the_close_all_is_taken() -> None:
    """Only the end of the connection ends it."""
    framer = framer_for(UNTIL_CLOSE, Limits())
    assert framer.feed(b"xall", 1) == (b"all", 4)
    assert not framer.done
    framer.end()
    assert framer.done


def test_several_chunks_are_one_piece() -> None:
    """What came together goes on together."""
    assert ChunkedFramer(Limits()).feed(b"1\r\na\r\n2\r\nbc\r\n3\r\nd", 0) == (b"abcd", 17)


def test_a_whole_piece_is_not_copied() -> None:
    """Data that is all body is handed on as it is, in a chunk as well."""
    piece = bytes(100)
    assert LengthFramer(200).feed(piece, 0)[0] is piece
    framer = ChunkedFramer(Limits())
    framer.feed(b"FF\r\n", 0)
    assert framer.feed(piece, 0)[0] is piece


def test_what_is_good_comes_before_the_error() -> None:
    """A broken chunk does not take the one before it along."""
    framer = ChunkedFramer(Limits())
    body, at = framer.feed(b"2\r\nhino", 0)
    assert body == b"hi"
    with pytest.raises(ProtocolError):
        framer.feed(b"2\r\nhino", at)


def test_a_trailer_is_kept() -> None:
    """Its fields are there once the body is whole."""
    framer = ChunkedFramer(Limits())
    framer.feed(b"0\r\nX-Sum: abc\r\nX-Time: 1 \r\n\r\n", 0)
    assert framer.done
    assert framer.trailer == ((b"X-Sum", b"abc"), (b"X-Time", b"1"))


def test_an_early_end_is_told() -> None:
    """A length or chunks that are not whole are no body."""
    for length in (1, CHUNKED):
        with pytest.raises(TruncatedError):
            framer_for(length, Limits()).end()
