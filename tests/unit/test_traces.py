"""Recorded traces are read as their publishers wrote them, and what is none is told."""

import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from benchmarks.cache.ratios import replayed
from benchmarks.cache.traces import RECORD, read

ORACLE = b"".join(RECORD.pack(100 + n, key, 512, after) for n, (key, after) in enumerate(
    [(7, 2), (8, -1), (7, -1)]))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "keys"),
    [
        ("a.lirs", b"0\n1\n*\n0\n", ["0", "1", "0"]),
        ("a.arc", b"100 3 0 1\n5 1 0 2\n", ["100", "101", "102", "5"]),
        ("a.csv", b"version,time,op,size,lbn\n1,5633898,2a,512,42\n1,5633899,2a,512,43\n",
         ["42", "43"]),
        ("twitter", b"0,keyA,10,3,1,get,0\n1,keyB,10,3,1,get,0\n", ["keyA", "keyB"]),
        ("a.bin", ORACLE, ["7", "8", "7"]),
        ("cut.bin", ORACLE + b"\0\1\2", ["7", "8", "7"]),
        ("cache2k.trace", struct.pack(">3I", 1, 2**31, 1), ["1", str(2**31), "1"]),
        ("empty", b"", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "packing",
    [
        pytest.param(("", bytes), id="as-it-is"),
        pytest.param((".gz", gzip.compress), id="gzip"),
        pytest.param((".xz", lzma.compress), id="xz"),
        pytest.param((".zst", zstandard.ZstdCompressor().compress), id="zstd"),
    ],
)
def test_every_format_packed_or_not(
    tmp_path: Path, name: str, data: bytes, keys: list[str],
    packing: tuple[str, Callable[[bytes], bytes]],
) -> None:  # fmt: skip
    """The keys come in the order of the requests."""
    suffix, pack = packing
    path = tmp_path / (name + suffix)
    path.write_bytes(pack(data))
    assert list(read(path)) == keys


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (struct.pack("<6Q", 9, 1, 5, 1, 1, 5), "oracleGeneral"),
        (b"when,what\n1,2\n", "column"),
    ],
)
def test_what_is_none_of_the_formats_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    """Rather than replayed as something it is not."""
    path = tmp_path / "strange"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=told):
        list(read(path))


def test_a_replay_tells_three_sizes(tmp_path: Path) -> None:
    """A loop larger than the cache, where LRU never hits."""
    path = tmp_path / "loop"
    path.write_text("\n".join(str(n % 1_000) for n in range(20_000)))
    figures = replayed(path)
    assert len(figures) == 3
    assert all(figure.met for figure in figures)
