"""Make large bodies small with Zstandard; what is packed says so itself.

Nothing unpacks to more than `LARGEST`, whatever it claims: a foreign value cannot fill the memory.

Source: RFC 8878 (Zstandard frames begin with a magic number and tell their content's size).
"""

from functools import cache
from typing import Any

from loadpath.cache.errors import ExtraMissingError, UndecodableError

MAGIC = b"\x28\xb5\x2f\xfd"
"""What a frame begins with; no body of MessagePack does."""

LARGEST = 256 * 2**20
"""Most bytes that a body unpacks to."""

LEVEL = 3


def pack(body: bytes) -> bytes:
    """Return a body packed, or as it is when that is not smaller."""
    packed: bytes = _library().ZstdCompressor(level=LEVEL).compress(body)
    return packed if len(packed) < len(body) else body


def unpack(body: bytes) -> bytes:
    """Return what was packed; a body that was not stays as it is.

    Raises:
        UndecodableError: It is damaged, or claims to be larger than `LARGEST`.
    """
    if not body.startswith(MAGIC):
        return body
    try:
        library = _library()
    except ExtraMissingError as error:
        raise UndecodableError(f"not an entry for this process: {error}") from error
    try:
        if not 0 < library.frame_content_size(body) <= LARGEST:
            raise UndecodableError("not an entry of this cache: packed, of unknown or no size")
        whole: bytes = library.ZstdDecompressor().decompress(body)
    except library.ZstdError as error:
        raise UndecodableError(f"not an entry of this cache: {error}") from error
    return whole


def check_library() -> None:
    """Refuse to pack without the library for it.

    Raises:
        ExtraMissingError: The `cache` extra is not installed.
    """
    _library()


@cache
def _library() -> Any:
    try:
        import zstandard  # noqa: PLC0415 - only where something is packed
    except ModuleNotFoundError as error:
        raise ExtraMissingError("packing with Zstandard") from error
    return zstandard
