"""Write a history as JSON lines, in Jepsen's fields: the format that a run appends to."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import IO, Any

import msgspec

from loadpath.caplab.history.history import Op
from loadpath.caplab.history.reading import NANOSECONDS


def write(ops: Iterable[Op], file: IO[bytes]) -> None:
    """Append operations to a binary file, one JSON object a line."""
    for op in ops:
        file.write(line_of(op))


def line_of(op: Op) -> bytes:
    """Return the line of an operation; sets are arrays and keys are strings, as JSON has it."""
    fields: dict[str, Any] = {"index": op.index}
    if op.time is not None:
        fields["time"] = round(op.time * NANOSECONDS)
    fields |= {"process": op.process, "type": op.type, "f": op.f, "value": jsonable(op.value)}
    if op.error is not None:
        fields["error"] = jsonable(op.error)
    return msgspec.json.encode(fields) + b"\n"


def jsonable(value: Any) -> Any:
    """Return a value as JSON can say it."""
    if isinstance(value, Mapping):
        return {_key(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return [
            jsonable(each) for each in sorted(value, key=lambda each: (str(type(each)), str(each)))
        ]
    if isinstance(value, tuple | list):
        return [jsonable(each) for each in value]
    return str(value) if isinstance(value, Fraction) else value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else msgspec.json.encode(jsonable(key)).decode()
