"""Move integers to and from PostgreSQL by binary COPY, without Python per row.

Source: PostgreSQL documentation, COPY, "Binary Format".
"""

import struct
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from loadpath.systems.timeline.record.columns import BinaryRows

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)

_PAIR = np.dtype([("fields", ">i2"), ("n1", ">i4"), ("a", ">i4"), ("n2", ">i4"), ("b", ">i4")])


def encode_pairs(first: NDArray[np.int32], second: NDArray[np.int32]) -> bytes:
    """Return rows of two `integer` columns, without header and trailer."""
    rows = np.empty(len(first), _PAIR)
    rows["fields"] = 2
    rows["n1"] = rows["n2"] = 4
    rows["a"] = first
    rows["b"] = second
    return rows.tobytes()


async def copied(
    connection: asyncpg.Connection, query: str, *arguments: object, widths: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the two columns of a query's rows.

    Args:
        connection: To the record.
        query: Gives two integer columns without NULLs.
        arguments: Of the query.
        widths: Bytes of each column: 2, 4 or 8.
    """
    rows = BinaryRows(*widths)
    pieces: list[NDArray[Any]] = []

    async def take(data: bytes) -> None:
        pieces.append(rows.feed(data).copy())

    await connection.copy_from_query(query, *arguments, output=take, format="binary")
    rows.close()
    first = [piece["f0"] for piece in pieces]
    second = [piece["f1"] for piece in pieces]
    return np.concatenate(first, dtype=np.int64), np.concatenate(second, dtype=np.int64)
