"""How a value travels to the shared layer: MessagePack in a versioned envelope.

`1`, sixteen digits of the stamp that the server gave, then MessagePack of when it was stored, how
long it is fresh, its tags, and the value, perhaps packed as a whole. Nothing in it is
executed; data that is anything else is `UndecodableError`, which a cache counts as a miss.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from loadpath.cache.errors import NotStorableError, UndecodableError
from loadpath.cache.packing import unpack

VERSION = b"1"
HEAD = 17
"""Bytes of version and stamp, by which the server tells one write of a key from another."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """Hold what was read.

    Attributes:
        stamp: Number of the write, in the order in which computing the values began.
        created: When it was stored (Unix s).
        fresh: For how long it is fresh after that (s).
        tags: What invalidates it.
        value: The value.
        size: Bytes of it and what travelled with it, unpacked.
    """

    stamp: int
    created: float
    fresh: float
    tags: tuple[str, ...]
    value: Any
    size: int


def encode(value: Any, *, created: float, fresh: float, tags: tuple[str, ...] = ()) -> bytes:
    """Return the body of an envelope; the server puts version and stamp before it.

    Raises:
        NotStorableError: MessagePack cannot hold the value.
    """
    try:
        return _encoder.encode((created, fresh, tags, value))
    except (TypeError, OverflowError, ValueError, RecursionError) as error:
        raise NotStorableError(type(value).__name__, error) from error


def encode_value(value: Any) -> bytes:
    """Return a value alone, as it waits in a queue.

    Raises:
        NotStorableError: MessagePack cannot hold the value.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, OverflowError, ValueError, RecursionError) as error:
        raise NotStorableError(type(value).__name__, error) from error


def decode(data: bytes, type_: Any = Any) -> Stored:
    """Return what `encode` wrote.

    Args:
        data: Version, stamp and body.
        type_: What the value must be; msgspec builds and checks it.

    Raises:
        UndecodableError: It is not what `encode` writes, or the value is not of the type.
    """
    if not data.startswith(VERSION):
        raise UndecodableError("not an entry of this cache: another version, or a foreign value")
    body = unpack(data[HEAD:])
    try:
        created, fresh, tags, value = _decode(type_)(body)
        return Stored(int(data[1:HEAD]), created, fresh, tags, value, HEAD + len(body))
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise UndecodableError(f"not an entry of this cache: {error}") from error


def check_type(type_: Any) -> None:
    """Refuse a type that values cannot be decoded to.

    Raises:
        TypeError: msgspec cannot build it from MessagePack.
    """
    _decode(type_)


_encoder = msgspec.msgpack.Encoder()


@lru_cache(maxsize=256)
def _decode(type_: Any) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(tuple[float, float, tuple[str, ...], type_]).decode
