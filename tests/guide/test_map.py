"""The guide's map tells the truth: what it names exists."""

import importlib
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from loadpath.cli.entry import make_app

ROOT = Path(__file__).parents[2]
CHAPTERS: list[dict[str, Any]] = tomllib.loads(
    (ROOT / "docs/guide/map.toml").read_text(encoding="utf-8")
)["chapter"]
BUILT = [chapter for chapter in CHAPTERS if "rooms" in chapter]


def _named(key: str) -> list[str]:
    return sorted({name for chapter in BUILT for name in chapter[key]})


@pytest.mark.parametrize("path", _named("examples") + _named("tests") + [c["page"] for c in BUILT])
def test_files_exist(path: str) -> None:
    """Every page, example and test on the map is there."""
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("room", _named("rooms"))
def test_rooms_import(room: str) -> None:
    """Every room on the map can be imported and says what it is."""
    assert importlib.import_module(f"loadpath.{room}").__doc__


@pytest.mark.parametrize("chapter", BUILT, ids=lambda chapter: chapter["number"])
def test_rooms_name_their_chapter(chapter: dict[str, Any]) -> None:
    """The first room of a chapter names the chapter in its docstring."""
    doc = importlib.import_module(f"loadpath.{chapter['rooms'][0]}").__doc__ or ""
    assert f"chapter {chapter['number']}" in doc
    assert chapter["title"] in doc


@pytest.mark.parametrize("command", _named("commands"))
def test_commands_are_known(command: str) -> None:
    """Every command on the map resolves in the command line."""
    program, *words = shlex.split(command)
    assert program == "loadpath"
    resolved, _, rest = make_app().parse_commands(words)
    assert list(resolved) == words
    assert not rest


def test_every_example_is_on_the_map_or_in_a_reference_page() -> None:
    """No example is orphaned: the map or a page of docs names it."""
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    told = set(_named("examples"))
    for example in sorted((ROOT / "examples").glob("[0-9]*.py")):
        name = f"examples/{example.name}"
        assert name in told or name in pages, name
