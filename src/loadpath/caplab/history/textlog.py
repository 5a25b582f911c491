"""Lines of Jepsen's console log: `INFO  jepsen.util - 0 :invoke :write 3`.

Source: the etcd histories that Porcupine tests itself with.
"""

import re
from typing import Any, Final, cast

from loadpath.caplab.history.edn import forms
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import Op, Type

LINE: Final = re.compile(
    r"^(?:.*?\s)?:?([\w.-]+)\s+:(invoke|ok|fail|info)\s+:(\S+)(?:\s+(.*?))?\s*$",
    re.MULTILINE,
)


def ops(text: str, *, name: str) -> list[Op]:
    """Return the operations among the lines of a log; other lines are not about operations.

    Raises:
        HistoryError: An operation's value cannot be read.
    """
    found = [(number, LINE.match(line)) for number, line in enumerate(text.splitlines(), 1)]
    return [_op(match, number, name) for number, match in found if match is not None]


def _op(match: re.Match[str], line: int, name: str) -> Op:
    process, kind, f, rest = cast("tuple[str, Type, str, str | None]", match.groups())
    values = _values(rest or "nil", line, name)
    error: Any = values[1] if len(values) > 1 else None
    value = values[0]
    if kind in {"fail", "info"} and (rest or "").startswith(":"):
        value, error = None, value
    return Op(
        type=kind,
        f=f,
        process=int(process) if process.isdecimal() else process,
        value=value,
        error=error,
        line=line,
    )


def _values(text: str, line: int, name: str) -> list[Any]:
    try:
        return [value for value, _ in forms(text)]
    except HistoryError as error:
        said = f"the value of this operation cannot be read ({error})"
        raise HistoryError(said, file=name, line=line) from error
