"""Read a history from EDN, JSON, JSON lines or a console log, whichever it is.

One map a line or one vector of maps; what an operation does not say is left out: a missing `f` is
a transaction, a missing process is the one client there is, `:key` beside `:value` makes the pair
of both. Times are nanoseconds in the file and seconds in memory.
"""

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec

from loadpath.caplab.history import edn, textlog
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import TYPES, History, Op

NANOSECONDS: Final = 1e9
_JSON: Final = re.compile(r'\s*(?:\{\s*"|\[\s*(?:\{\s*(?:"|\})|\[))')


def read(path: Path) -> History:
    """Return the history in a file.

    Raises:
        HistoryError: It is none; the message names the line.
        OSError: The file cannot be read.
    """
    return read_bytes(path.read_bytes(), name=str(path))


def read_bytes(data: bytes, *, name: str) -> History:
    """Return the history in the bytes of a file.

    Raises:
        HistoryError: It is none; the message names the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HistoryError("this is not UTF-8 text", file=name, line=line) from error
    return read_text(text, name=name)


def read_text(text: str, *, name: str = "history") -> History:
    """Return the history in a text.

    Args:
        text: EDN, JSON, JSON lines or a console log of Jepsen.
        name: The file, for messages.

    Raises:
        HistoryError: It is none; the message names the line.
    """
    if _JSON.match(text):
        return History(_records(_json(text, name), name), name=name)
    if _is_log(text):
        return History(textlog.ops(text, name=name), name=name, refusals=True)
    found = list(edn.forms(text, name=name, inside=True))
    if not found and not re.search(r"[(\[]", text):
        raise HistoryError("there is no operation in it", file=name)
    return History(_records(iter(found), name), name=name)


def _is_log(text: str) -> bool:
    """Return whether it begins as a log does: with a word, not with a bracket or a comment."""
    start = text.lstrip()[:1]
    return start not in {"", "{", "[", "(", ";", "#"} and textlog.LINE.search(text) is not None


def _json(text: str, name: str) -> Iterator[tuple[Any, int]]:
    if text.lstrip().startswith("["):
        yield from _array(text, name)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _decoded(line, number, name), number


def _array(text: str, name: str) -> Iterator[tuple[Any, int]]:
    try:
        raws = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise HistoryError(
            f"this is no JSON: {error}", file=name, line=_broken(error, text)
        ) from error
    line, at = 1, 0
    for raw in raws:
        part = bytes(raw).decode()
        start = text.index(part, at)
        line += text.count("\n", at, start)
        yield _decoded(part, line, name), line
        line, at = line + part.count("\n"), start + len(part)


def _broken(error: Exception, text: str) -> int:
    place = re.search(r"byte (\d+)", str(error))
    before = text.encode()[: int(place[1])] if place else b""
    return before.count(b"\n") + 1


def _decoded(line: str, number: int, name: str) -> Any:
    try:
        return _plain(msgspec.json.decode(line))
    except msgspec.DecodeError as error:
        raise HistoryError(f"this is no JSON: {error}", file=name, line=number) from error


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _records(found: Iterator[tuple[Any, int]], name: str) -> Iterator[Op]:
    for record, line in found:
        if not isinstance(record, Mapping):
            said = f"an operation must be a map, got {str(record)[:40]!r}"
            raise HistoryError(said, file=name, line=line)
        yield _op(record, line, name)


def _op(record: Mapping[Any, Any], line: int, name: str) -> Op:
    kind = _named(record.get("type"))
    if kind not in TYPES:
        said = f"type must be one of {', '.join(TYPES)}, got {kind!r}"
        raise HistoryError(said, file=name, line=line)
    value = record.get("value")
    return Op(
        type=kind,
        f=_f(record, line, name),
        process=_process(record, line, name),
        value=(record["key"], value) if "key" in record else value,
        time=_seconds(record.get("time"), line, name),
        error=record.get("error"),
        line=line,
    )


def _named(value: Any) -> Any:
    """Return a keyword's name also where JSON kept its colon."""
    return value.removeprefix(":") if isinstance(value, str) else value


def _f(record: Mapping[Any, Any], line: int, name: str) -> str:
    f = _named(record.get("f"))
    if f is None:
        return "txn"
    if not isinstance(f, str):
        raise HistoryError(f"f must be a keyword or a string, got {f!r}", file=name, line=line)
    return f


def _process(record: Mapping[Any, Any], line: int, name: str) -> int | str | None:
    process = _named(record.get("process"))
    if process is None or (isinstance(process, int | str) and not isinstance(process, bool)):
        return process
    said = f"process must be a number or a name, got {process!r}"
    raise HistoryError(said, file=name, line=line)


def _seconds(time: Any, line: int, name: str) -> float | None:
    if time is None:
        return None
    if isinstance(time, bool) or not isinstance(time, int | float) or not isfinite(time):
        said = f"time must be a number of nanoseconds, got {time!r}"
        raise HistoryError(said, file=name, line=line)
    return float(time) / NANOSECONDS
