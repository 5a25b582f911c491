"""Take numbers out of PostgreSQL's binary formats without a Python object for each.

Source: PostgreSQL manual, "COPY: Binary Format"; the array format is that of `array_send`.
"""

from struct import Struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_ARRAY_HEADER: Final = 20
_COPY_HEADER: Final = 19
_COPY_TRAILER: Final = b"\xff\xff"
_GROUP: Final = Struct(">hiii")  # number of columns, size, key, size


def from_array(sent: bytes | None, width: int) -> npt.NDArray[np.int64]:
    """Return the integers in a PostgreSQL array.

    Args:
        sent: What `array_send` made of an array without NULLs; None is an empty one.
        width: Bytes per integer: 2, 4 or 8.
    """
    if not sent or len(sent) <= _ARRAY_HEADER:
        return np.empty(0, np.int64)
    item = np.dtype([("size", ">i4"), ("value", f">i{width}")])
    return np.frombuffer(sent, item, offset=_ARRAY_HEADER)["value"].astype(np.int64)


class BinaryRows:
    """Cut the stream of a binary COPY whose columns are integers without NULLs."""

    def __init__(self, *widths: int) -> None:
        """Expect these columns.

        Args:
            widths: Bytes of each column: 2, 4 or 8.
        """
        fields: list[tuple[str, str]] = [("columns", ">i2")]
        for number, width in enumerate(widths):
            fields += [(f"size{number}", ">i4"), (f"f{number}", f">i{width}")]
        self._row = np.dtype(fields)
        self._skip = _COPY_HEADER
        self._rest = b""

    def feed(self, data: bytes) -> npt.NDArray[Any]:
        """Return the complete rows; the columns are named `f0`, `f1` and so on.

        Args:
            data: The next bytes of the stream, cut anywhere.
        """
        if self._rest:
            data = self._rest + data
        begin = min(self._skip, len(data))
        self._skip -= begin
        count = (len(data) - begin) // self._row.itemsize
        end = begin + count * self._row.itemsize
        self._rest = data[end:]
        return np.frombuffer(data, self._row, count, begin)

    def close(self) -> None:
        """Check that the stream ended where a row ends.

        Raises:
            ValueError: It did not.
        """
        _check_end(self._rest)


class BinaryGroups:
    """Cut the stream of a binary COPY of (int4, bytea of big-endian int4 values) rows."""

    def __init__(self) -> None:
        self._skip = _COPY_HEADER
        self._rest = b""

    def feed(self, data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the first column, repeated, and the values, of all complete rows.

        Args:
            data: The next bytes of the stream, cut anywhere.
        """
        data = self._rest + data
        at = min(self._skip, len(data))
        self._skip -= at
        keys: list[int] = []
        values: list[memoryview] = []
        view, size = memoryview(data), len(data)
        while at + _GROUP.size <= size:
            _, _, key, held = _GROUP.unpack_from(data, at)
            end = at + _GROUP.size + held
            if end > size:
                break
            keys.append(key)
            values.append(view[at + _GROUP.size : end])
            at = end
        self._rest = data[at:]
        counts = [len(each) // 4 for each in values]
        return (
            np.repeat(np.array(keys, np.int64), counts),
            np.frombuffer(b"".join(values), ">i4").astype(np.int64),
        )

    def close(self) -> None:
        """Check that the stream ended where a row ends.

        Raises:
            ValueError: It did not.
        """
        _check_end(self._rest)


def _check_end(rest: bytes) -> None:
    if rest != _COPY_TRAILER:
        raise ValueError("a binary COPY ended in the middle of a row")
