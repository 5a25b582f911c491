"""`loadpath guide`: say where each chapter of the guide lives."""

import tomllib
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from loadpath.cli.entry import UsageError
from loadpath.cli.output import console_for, print_json

SHIPPED: Final = Path(__file__).with_name("map.toml")
IN_CHECKOUT: Final = Path(__file__).parents[3] / "docs" / "guide" / "map.toml"


def guide(chapter: str | None = None, /, *, json: bool = False) -> None:
    """Print which room, page, example, test and command belong to a chapter of the guide.

    Args:
        chapter: Number of the chapter, such as 7.1; all when left out.
        json: Print them for programs.
    """
    chapters = chosen(chapters_of(SHIPPED if SHIPPED.exists() else IN_CHECKOUT), chapter)
    if json:
        print_json(chapters)
    elif chapter is None:
        console_for(json=False).print(_table(chapters))
    else:
        for each in chapters:
            console_for(json=False).print(_page(each))


def chapters_of(path: Path) -> list[dict[str, Any]]:
    """Return the chapters in a map file."""
    found: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["chapter"]
    return found


def chosen(chapters: list[dict[str, Any]], number: str | None) -> list[dict[str, Any]]:
    """Return the chapter with a number and those within it; all when there is no number.

    Raises:
        UsageError: No chapter has this number.
    """
    if number is None:
        return chapters
    found = [
        chapter
        for chapter in chapters
        if chapter["number"] == number or chapter["number"].startswith(f"{number}.")
    ]
    if not found:
        known = ", ".join(chapter["number"] for chapter in chapters)
        raise UsageError(f"the guide has no chapter {number}: choose one of {known}")
    return found


def _table(chapters: list[dict[str, Any]]) -> Table:
    table = Table(title="The guide's chapters and where each lives", title_justify="left")
    for column in ("", "chapter", "", "rooms", "page", "commands"):
        table.add_column(column)
    for chapter in chapters:
        table.add_row(
            chapter["number"],
            chapter["title"],
            chapter.get("english", ""),
            "\n".join(chapter.get("rooms", ["-"])),
            chapter.get("page", "-"),
            "\n".join(chapter.get("commands", ["-"])),
        )
    return table


def _page(chapter: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in chapter.items():
        table.add_row(name, "\n".join(value) if isinstance(value, list) else str(value))
    table.add_row("")
    return table
