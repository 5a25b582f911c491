"""Print figures for programs and for people."""

import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from loadpath.core.settings import SettingsError

WIDTH: Final = 140
"""Columns where there is no terminal to ask."""


def console_for(*, json: bool) -> Console:
    """Return where people read: standard error when standard output is for a program."""
    console = Console(stderr=json)
    return console if console.is_terminal else Console(stderr=json, width=WIDTH)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
    sys.stdout.flush()


def write_file(out: str, text: str) -> None:
    """Write a whole file; `-` is standard output.

    Raises:
        SettingsError: It cannot be written.
    """
    if out == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(Path(out), f"cannot be written: {error.strerror}") from error
