"""Compress answers for clients that take it, piece by piece as they come.

Each piece is flushed, so that events which a server sends one by one arrive one by one.

Source: RFC 9110 section 8.4 (Content-Encoding), 12.5.3 (Accept-Encoding), 8.8.1 (a changed body
has a weak ETag), RFC 9111 section 5.2.2.6 (`no-transform`).
"""

import re
import zlib
from functools import lru_cache
from typing import Any

from loadpath.gateway.exchange import AnswerHead, Exchange, Field, Transform
from loadpath.gateway.filters.cors import add_vary
from loadpath.gateway.settings.filters import Compression
from loadpath.upstream.errors import ExtraMissingError

GZIP_LEVEL = 5
ZSTD_LEVEL = 3

_GZIP_WINDOW = 31  # 2^15 bytes, with gzip's head
_SUCCESS = frozenset({200, 201, 202, 203})
_NOT_MODIFIED = 304
_WEIGHT = re.compile(r"[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_LONGEST = 256  # bytes of an Accept-Encoding that is remembered
_WINDOW = 17  # 128 KiB: a stream that stays open for hours holds little
_GONE = frozenset(
    {b"accept-ranges", b"content-digest", b"content-md5", b"digest", b"etag", b"repr-digest"}
)


class CompressionFilter:
    """Compress what is text and large enough.

    Args:
        compression: What, and how.

    Raises:
        ExtraMissingError: It says `zstd`, and the package for it is not there.
    """

    __slots__ = ("_encodings", "_kinds", "_min_size", "_types")

    def __init__(self, compression: Compression) -> None:
        self._encodings = compression.encodings
        if "zstd" in self._encodings:
            _zstandard()
        self._min_size = compression.min_size
        types = [each.lower().encode() for each in compression.types]
        self._types = frozenset(types)
        self._kinds = tuple(each[:-1] for each in types if each.endswith(b"/*"))

    def enter(self, exchange: Exchange) -> None:
        """Leave the request as it is."""

    def leave(self, exchange: Exchange, head: AnswerHead) -> Transform | None:
        """Choose how an answer is compressed, None for not at all."""
        index = {name.lower(): value for name, value in head.fields}
        encoding = chosen(exchange.head.index.get(b"accept-encoding"), self._encodings)
        if head.status == _NOT_MODIFIED and encoding is not None:
            _weaken(head.fields)  # as it was when the whole answer was sent
        if not self._may_change(head, index):
            return None
        add_vary(head.fields, b"Accept-Encoding")
        if encoding is None:
            return None
        etag = index.get(b"etag")
        head.fields = [each for each in head.fields if each[0].lower() not in _GONE]
        head.fields.append((b"Content-Encoding", encoding.encode()))
        if etag is not None:
            head.fields.append((b"ETag", _weak(etag)))
        head.length = None
        return ZstdTransform() if encoding == "zstd" else GzipTransform()

    def _may_change(self, head: AnswerHead, index: dict[bytes, bytes]) -> bool:
        if head.status not in _SUCCESS and head.status < 400:  # noqa: PLR2004 - errors are answers
            return False
        if head.length is not None and head.length < self._min_size:
            return False
        if index.get(b"content-encoding", b"identity").lower() != b"identity":
            return False
        if b"content-range" in index or b"no-transform" in index.get(b"cache-control", b"").lower():
            return False
        kind = index.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return kind in self._types or kind.startswith(self._kinds)


class GzipTransform:
    """Compress one body with gzip."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def feed(self, piece: bytes) -> bytes:
        """Return a piece, compressed so that it can be read without the next."""
        return self._made.compress(piece) + self._made.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return the end."""
        return self._made.flush()


class ZstdTransform:
    """Compress one body with Zstandard."""

    __slots__ = ("_block", "_made")

    def __init__(self) -> None:
        library = _zstandard()
        parameters = library.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, window_log=_WINDOW, hash_log=_WINDOW - 2, chain_log=_WINDOW - 2
        )
        self._made = library.ZstdCompressor(compression_params=parameters).compressobj()
        self._block = library.COMPRESSOBJ_FLUSH_BLOCK

    def feed(self, piece: bytes) -> bytes:
        """Return a piece, compressed so that it can be read without the next."""
        made: bytes = self._made.compress(piece) + self._made.flush(self._block)
        return made

    def end(self) -> bytes:
        """Return the end."""
        rest: bytes = self._made.flush()
        return rest


def chosen(accepted: bytes | None, offered: tuple[str, ...]) -> str | None:
    """Return the encoding that a client likes best of those offered, None for none.

    Args:
        accepted: `Accept-Encoding`; without it an answer stays as it is.
        offered: In the order that decides between equals.
    """
    liked = wanted(accepted, offered)
    return liked[0] if liked else None


def wanted(accepted: bytes | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the encodings that a client takes of those offered, the best first."""
    if accepted is None:
        return ()
    return (_wanted if len(accepted) <= _LONGEST else _wanted.__wrapped__)(accepted, offered)


@lru_cache(maxsize=1_024)
def _wanted(accepted: bytes, offered: tuple[str, ...]) -> tuple[str, ...]:
    weights = _weights(accepted)
    other = weights.get("*", 0.0)
    least = weights.get("identity", 0.0)
    liked = {each: weights.get(each, other) for each in offered}
    taken = [each for each, weight in liked.items() if weight > 0 and weight >= least]
    return tuple(sorted(taken, key=lambda each: -liked[each]))


def _weights(accepted: bytes) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        coding, _, parameter = part.partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip())
        name = coding.strip().removeprefix("x-")
        weights[name] = float(weight[1]) if weight else float(not parameter.strip())
    return weights


def _weak(etag: bytes) -> bytes:
    return etag if etag.startswith(b"W/") else b"W/" + etag


def _weaken(fields: list[Field]) -> None:
    for place, (name, value) in enumerate(fields):
        if name.lower() == b"etag":
            fields[place] = (name, _weak(value))


def _zstandard() -> Any:
    try:
        import zstandard  # noqa: PLC0415 - only where settings ask for it
    except ModuleNotFoundError as error:
        raise ExtraMissingError("compression by zstd", "gateway") from error
    return zstandard
