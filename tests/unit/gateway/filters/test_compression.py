"""Compressed answers."""

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.exchange import AnswerHead
from loadpath.gateway.filters.compression import (
    CompressionFilter,
    GzipTransform,
    ZstdTransform,
    chosen,
    wanted,
)
from loadpath.gateway.settings.filters import Compression
from tests.unit.gateway.filters.exchanges import answered, asked, field

BOTH = ("zstd", "gzip")
TEXT = {"Content-Type": "text/html; charset=utf-8"}


def left(head: AnswerHead, *, accepted: str | None = "gzip", **options: object) -> bool:
    """Return whether an answer is compressed."""
    filter_ = CompressionFilter(Compression(**options))  # type: ignore[arg-type] # of each test
    fields = {} if accepted is None else {"Accept-Encoding": accepted}
    return filter_.leave(asked(fields=fields), head) is not None


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, None),
        (b"", None),
        (b"gzip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"gzip, zstd", "zstd"),
        (b"gzip;q=1, zstd;q=0.5", "gzip"),
        (b"br, deflate", None),
        (b"*", "zstd"),
        (b"*;q=0.1, zstd;q=0", "gzip"),
        (b"gzip;q=0", None),
        (b"gzip;q=0.5, identity;q=0.9", None),
        (b"gzip;q=0.5, identity;q=0", "gzip"),
        (b"GZIP ; Q=0.5", "gzip"),
        (b"gzip;q=7", None),
        (b"gzip;level=9", None),
    ],
)
def test_the_client_chooses(accepted: bytes | None, encoding: str | None) -> None:
    """Its weights count first, then the order of the settings."""
    assert chosen(accepted, BOTH) == encoding


def test_all_that_a_client_takes() -> None:
    """The best first; a browser takes everything there is."""
    offered = ("zstd", "br", "gzip")
    assert wanted(b"gzip, deflate, br, zstd", offered) == offered
    assert wanted(b"gzip;q=0.9, br;q=0.5", offered) == ("gzip", "br")
    assert wanted(b"gzip", ()) == ()
    assert wanted(b"*;q=0" + b" " * 9_000, offered) == ()


def test_hashes_of_what_is_changed_go() -> None:
    """A digest of the body as it was would say that it is broken."""
    head = answered(fields={**TEXT, "Content-Digest": "a", "Repr-Digest": "b"}, length=5_000)
    assert left(head)
    assert field(head, "content-digest") is field(head, "repr-digest") is None


def test_a_stream_holds_little_memory() -> None:
    """The window that a client needs for it is 128 KiB."""
    transform = ZstdTransform()
    made = b"".join([transform.feed(bytes(300_000)), transform.end()])
    assert zstandard.get_frame_parameters(made).window_size == 2**17


def test_a_compressed_answer_says_so() -> None:
    """Its ETag is weak, it depends on the request, and no range of it can be had."""
    head = answered(
        fields={**TEXT, "ETag": '"a"', "Accept-Ranges": "bytes", "Vary": "Origin"}, length=5_000
    )
    assert left(head)
    assert field(head, "content-encoding") == "gzip"
    assert field(head, "etag") == 'W/"a"'
    assert field(head, "vary") == "Origin, Accept-Encoding"
    assert field(head, "accept-ranges") is None
    assert head.length is None


def test_an_answer_that_could_be_compressed_varies_anyway() -> None:
    """A cache must not give it to a client that would have got another one."""
    head = answered(fields=TEXT, length=5_000)
    assert not left(head, accepted=None)
    assert field(head, "vary") == "Accept-Encoding"
    assert head.length == 5_000


@pytest.mark.parametrize(
    ("status", "fields", "length"),
    [
        (200, {"Content-Type": "image/png"}, 5_000),
        (200, {}, 5_000),
        (200, TEXT, 10),
        (204, TEXT, None),
        (206, {**TEXT, "Content-Range": "bytes 0-1/2"}, 5_000),
        (200, {**TEXT, "Content-Encoding": "br"}, 5_000),
        (200, {**TEXT, "Cache-Control": "public, No-Transform"}, 5_000),
        (302, TEXT, 5_000),
    ],
)
def test_what_stays_as_it_is(status: int, fields: dict[str, str], length: int | None) -> None:
    """Other types, small answers, parts, what is compressed already or may not be changed."""
    head = answered(status, fields, length=length)
    assert not left(head)
    assert head == answered(status, fields, length=length)


def test_not_modified_has_the_tag_of_the_compressed_answer() -> None:
    """A 304 says the same ETag as the 200 would have: strong for who takes no compression."""
    for accepted, etag in (("gzip", 'W/"a"'), (None, '"a"')):
        head = answered(304, {"ETag": '"a"'})
        assert not left(head, accepted=accepted)
        assert field(head, "etag") == etag


def test_unknown_length_and_errors_are_compressed() -> None:
    """What is streamed may be long, and a problem document is text too."""
    assert left(answered(fields=TEXT))
    assert left(answered(404, {"Content-Type": "application/problem+json"}, length=5_000))


@given(pieces=st.lists(st.binary(max_size=2_000), max_size=8))
def test_what_is_compressed_is_what_was_sent(pieces: list[bytes]) -> None:
    """Both encodings give back what went in."""
    whole = b"".join(pieces)
    for make, undo in ((GzipTransform, gzip.decompress), (ZstdTransform, _unzstd)):
        transform = make()
        made = b"".join([*map(transform.feed, pieces), transform.end()])
        assert undo(made) == whole


def test_a_piece_can_be_read_before_the_next_comes() -> None:
    """An event is not held back."""
    one, two = b"data: one\n\n", b"data: two\n\n"
    gzipped = GzipTransform()
    reader = zlib.decompressobj(31)
    assert reader.decompress(gzipped.feed(one)) == one
    assert reader.decompress(gzipped.feed(two)) == two
    zstd = ZstdTransform()
    zstd_reader = zstandard.ZstdDecompressor().decompressobj()
    assert zstd_reader.decompress(zstd.feed(one)) == one
    assert zstd_reader.decompress(zstd.feed(two)) == two


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)
