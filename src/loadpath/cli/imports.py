"""`loadpath import`: another gateway's file as gateway.toml."""

import sys
from dataclasses import asdict
from pathlib import Path

import msgspec

from loadpath.cli.output import print_json, write_file
from loadpath.core.settings import SettingsError
from loadpath.export import Imported, NginxSyntaxError, from_nginx
from loadpath.export.toml import to_toml
from loadpath.gateway.reading import problems
from loadpath.gateway.settings.gateway import GatewaySettings

INCOMPLETE = 1


def nginx(file: Path, /, *, out: str = "-", json: bool = False) -> int:
    """Read an nginx.conf and write gateway.toml; name on standard error what was not understood.

    Exits with 0 when everything was understood, with 1 when something was left out, is a mistake
    or differs, and with 2 when it is no nginx file.

    Args:
        file: The file.
        out: File to write, `-` for standard output.
        json: Print settings and notes as one JSON document instead.
    """
    imported = from_nginx(_read(file), file=str(file))
    text = to_toml(imported.settings)
    notes = [*map(str, imported.notes), *_contradictions(file, imported)]
    if json:
        print_json({"toml": text, "notes": [asdict(each) for each in imported.notes]})
    else:
        sys.stderr.writelines(f"{each}\n" for each in notes)
    if out != "-" or not json:
        write_file(out, text)
    return INCOMPLETE if notes else 0


def _read(file: Path) -> str:
    try:
        found = file.read_bytes()
    except OSError as error:
        raise SettingsError(file, f"cannot be read: {error.strerror}") from error
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise NginxSyntaxError(str(file), line, "not UTF-8: save it as UTF-8") from error


def _contradictions(file: Path, imported: Imported) -> list[str]:
    """Return what must be mended by hand before the gateway takes the settings."""
    try:
        msgspec.convert(msgspec.to_builtins(imported.settings), GatewaySettings)
    except msgspec.ValidationError as error:
        return [f"{file}: out of the gateway's range: {error}"]
    return [f"{file}: {each.path}: {each.what}" for each in problems(imported.settings)]
