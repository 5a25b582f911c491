"""Read one TOML file into a `msgspec.Struct`; whatever is wrong is said with file and path.

Ranges belong to the Structs (`Annotated[float, Meta(gt=0)]`), and every Struct forbids unknown
fields, so that a misspelt name is an error and never a silent default.
"""

import re
import tomllib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loadpath.core.errors import LoadpathError

Settings = TypeVar("Settings", bound=msgspec.Struct)

_AT = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<where>\$.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:unknown|required) field `(?P<field>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINE = re.compile(r"\(at line (?P<line>\d+),")


class SettingsError(LoadpathError, ValueError):
    """Refuse a settings file.

    Attributes:
        file: The file.
        path: Where in it, as `$.api.port`; `$` is the whole file.
        line: The line of a syntax error, counted from 1; None for every other error.
    """

    def __init__(self, file: Path, what: str, *, path: str = "$", line: int | None = None) -> None:
        where = f"{file}:{line}" if line else f"{file}: {path}"
        super().__init__(f"{where}: {what}")
        self.file = file
        self.path = path
        self.line = line


def load(path: str | PathLike[str], type_: type[Settings]) -> Settings:
    """Return the settings in a TOML file.

    Args:
        path: The file.
        type_: The Struct to fill; it and every Struct in it should forbid unknown fields.

    Raises:
        SettingsError: The file cannot be read, is not TOML in UTF-8, or does not fit `type_`.
    """
    file = Path(path)
    document = _parse(file, _read(file))
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise _misfit(file, document, type_, str(error)) from error


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise SettingsError(file, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(file, "not UTF-8: save it as UTF-8", line=line) from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found["line"]) if found else text.count("\n") + 1
        raise SettingsError(file, f"not TOML: {error}", line=line) from error
    except ValueError as error:  # of int(), which reads only so many digits
        raise SettingsError(file, f"not settings: a number is too long: {error}") from error
    except RecursionError as error:
        raise SettingsError(file, "not settings: nested too deep") from error


def _complaint(document: Any, type_: type[msgspec.Struct]) -> str | None:
    """Return what msgspec has against a document, None when it fits."""
    try:
        msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _misfit(file: Path, document: Any, type_: type[msgspec.Struct], message: str) -> SettingsError:
    """Turn msgspec's message into one whose path reaches the field itself."""
    found = _AT.match(message)
    assert found is not None
    what, where = found["what"], found["where"] or "$"
    if found["key"]:
        what, where = f"the name itself: {what}", f"{where}[...]"
    path = where
    if "[...]" in where:
        path = _named(where, document, lambda: _complaint(document, type_) == message)
    field = _FIELD.search(what)
    if field is None:
        return SettingsError(file, what, path=path)
    path = f"{path}.{_key(field['field'])}"
    if "unknown" in what:
        return SettingsError(file, "unknown field: remove it or correct its name", path=path)
    return SettingsError(file, "missing: add it", path=path)


def _named(where: str, document: Any, same: Callable[[], bool]) -> str:
    """Return a path with the names of tables that msgspec only tells as `[...]`.

    Args:
        where: The path as msgspec tells it.
        document: What it is about; of those tables only the ones in the path stay in it.
        same: Tells whether what is left of the document gets the same complaint.
    """
    path, place = "$", document
    for step in _STEP.finditer(where):
        name = _culprit(place, same) if step["any"] else step["field"] or int(step["index"])
        if name is None:
            return where
        path += f"[{name}]" if isinstance(name, int) else f".{_key(name)}"
        place = place[name]
    return path


def _culprit(table: dict[str, Any], same: Callable[[], bool]) -> str | None:
    """Leave one entry of a table: the first that alone gets the same complaint."""
    entries = list(table.items())
    for name, value in entries:
        table.clear()
        table[name] = value
        if same():
            return name
    table.update(entries)
    return None


def _key(name: str) -> str:
    """Write a key as TOML does: quoted, and its control characters escaped, unless it is bare."""
    return name if _BARE.fullmatch(name) else msgspec.json.encode(name).decode()
