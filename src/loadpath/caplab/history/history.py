"""The append-only record of operations.

A value is plain data: None, booleans, numbers, strings, tuples (vectors and lists), frozensets and
dicts. Keywords are strings without their colon.

Source: Jepsen's `jepsen.history`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, get_args, overload

import msgspec

from loadpath.caplab.history.errors import HistoryError

Type = Literal["invoke", "ok", "fail", "info"]
Process = int | str | None
TYPES: Final = get_args(Type)
NEMESIS: Final = "nemesis"


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one line of a history.

    Attributes:
        index: Position in the history.
        time: Seconds since the run began, None when nobody looked at a clock.
        process: The client; `nemesis` is not one.
        type: `invoke`, then `ok` (done), `fail` (not done) or `info` (nobody knows).
        f: What was asked for.
        value: What it was asked with; at `ok`, what was answered.
        error: Why it failed or why nobody knows.
        line: Line in the file that it was read from, None otherwise.
    """

    type: Type
    f: str
    process: Process = None
    value: Any = None
    index: int = 0
    time: float | None = None
    error: Any = None
    line: int | None = None


class History:
    """Keep operations in the order in which they were seen; nothing is changed or taken away.

    Args:
        ops: What is known already; the indexes are given anew.
        name: The file, for messages.
        refusals: Whether `fail` means, in this source, that the answer was no.
    """

    def __init__(
        self, ops: Iterable[Op] = (), *, name: str = "history", refusals: bool = False
    ) -> None:
        self.name = name
        self.refusals = refusals
        self._ops: list[Op] = []
        for op in ops:
            self.append(op)

    def append(self, op: Op) -> Op:
        """Append an operation and return it with its index.

        Raises:
            HistoryError: Its type is none of Jepsen's four.
        """
        if op.type not in TYPES:
            said = f"type must be one of {', '.join(TYPES)}, got {op.type!r}"
            raise HistoryError(said, file=self.name, line=op.line)
        if op.index != len(self._ops):
            op = msgspec.structs.replace(op, index=len(self._ops))
        self._ops.append(op)
        return op

    def __len__(self) -> int:
        return len(self._ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self._ops)

    @overload
    def __getitem__(self, index: int) -> Op: ...
    @overload
    def __getitem__(self, index: slice) -> list[Op]: ...
    def __getitem__(self, index: int | slice) -> Op | list[Op]:
        return self._ops[index]
