"""Hashes that are the same in every process and on every machine, unlike Python's own."""

from random import Random
from struct import Struct
from zlib import crc32

try:
    # The interpreter's own: for a short key half the price of the one that comes with OpenSSL.
    from _md5 import md5  # type: ignore[import-not-found] # not in typeshed
except ImportError:
    from hashlib import md5

_WORD = Struct("<I").unpack_from


def md5_digest(data: bytes) -> bytes:
    """Return the 16 bytes of MD5: a spreader here, not a lock."""
    digest: bytes = md5(data, usedforsecurity=False).digest()
    return digest


def md5_hash(key: bytes) -> int:
    """Return the first 32 bits of MD5, little-endian, as ketama hashes keys."""
    word: int = _WORD(md5(key, usedforsecurity=False).digest())[0]
    return word


def random_key(random: Random) -> bytes:
    """Return a key for a call that has none."""
    return random.randbytes(4)


def unit(key: bytes) -> float:
    """Return where a key falls between 0 and 1, the same for equal keys."""
    return crc32(key) / 2**32
