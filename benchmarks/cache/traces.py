"""Read recorded traces: those that Caffeine's and libCacheSim's repositories publish.

A key a line (LIRS), ranges of blocks (ARC), csv with or without a header, oracleGeneral, or 32-bit
numbers in `*.trace` (cache2k, CloudPhysics), each also packed by gzip, xz or Zstandard.
"""

import gzip
import lzma
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import zstandard

RECORD = struct.Struct("<IQIq")
"""One request of libCacheSim's oracleGeneral: time, object, size, number of its next request."""
LOOKED_AT = 1_000
"""Requests that tell oracleGeneral from something else."""
KEY_COLUMNS = ("obj_id", "obj-id", "obj", "object", "id", "key", "anonymized key", "lbn", "block")
"""What a header may call the column of keys."""
UNNAMED = 1
"""The column of keys without a header: the second, as in Twitter's traces."""


def unzstd(data: bytes) -> bytes:
    """Return what Zstandard packed, in however many frames."""
    reader = zstandard.ZstdDecompressor().stream_reader(BytesIO(data), read_across_frames=True)
    return reader.read()


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".zst": unzstd,
}


def read(path: Path) -> Iterator[str]:
    """Yield the keys of a trace.

    Raises:
        ValueError: It is none of the formats.
    """
    data = path.read_bytes()
    if path.suffix in UNPACK:
        data = UNPACK[path.suffix](data)
    if b"\x00" in data[:4_096]:
        return numbers(data) if ".trace" in path.suffixes else oracle(data)
    lines = data.decode("utf-8", "replace").splitlines()
    if lines and "," in lines[0]:
        return csv(lines)
    return (key for line in lines for key in keys_of(line))


def numbers(data: bytes) -> Iterator[str]:
    """Yield the keys of a trace of nothing but 32-bit numbers, the large end first."""
    whole = len(data) - len(data) % 4
    return (str(key) for (key,) in struct.iter_unpack(">I", data[:whole]))


def oracle(data: bytes) -> Iterator[str]:
    """Yield the keys of oracleGeneral; a request cut off at the end is left out."""
    whole = len(data) - len(data) % RECORD.size
    last = 0
    for place, record in enumerate(RECORD.iter_unpack(data[: LOOKED_AT * RECORD.size][:whole])):
        now, _, _, following = record
        if now < last or not (following == -1 or following > place):
            raise ValueError(
                f"request {place} is none of oracleGeneral (time {now} after {last}, next request "
                f"{following}): convert the trace with libCacheSim's traceConv"
            )
        last = now
    return (str(key) for _, key, _, _ in RECORD.iter_unpack(data[:whole]))


def csv(lines: list[str]) -> Iterator[str]:
    """Yield the keys of csv, from the column that the header names, else the second."""
    first = [field.strip().lower() for field in lines[0].split(",")]
    column = UNNAMED
    if not first[0].replace(".", "").isdigit():
        named = [first.index(name) for name in KEY_COLUMNS if name in first]
        if not named:
            raise ValueError(f"no column of keys: one of {KEY_COLUMNS}, not {first}")
        column, lines = named[0], lines[1:]
    return (line.split(",")[column].strip() for line in lines if line.count(",") >= column)


def keys_of(line: str) -> Iterator[str]:
    """Yield the keys that one line of a trace asks for."""
    fields = line.split()
    if len(fields) == 4 and all(field.isdigit() for field in fields):
        begin, count = int(fields[0]), int(fields[1])
        yield from map(str, range(begin, begin + count))
    elif fields and fields[0] != "*":
        yield fields[0]
