"""Behaviour of `loadpath guide`."""

import json

import pytest

from loadpath.cli.entry import UsageError, run
from loadpath.cli.guide import IN_CHECKOUT, chapters_of, chosen


def test_all_chapters_are_listed_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    """In the guide's language and in English."""
    assert run(["guide"]) == 0
    printed = capsys.readouterr().out
    for chapter in chapters_of(IN_CHECKOUT):
        assert chapter["number"] in printed
        assert chapter["title"][:6] in printed


def test_a_chapter_is_printed_with_everything_that_belongs_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rooms, page, examples and commands."""
    assert run(["guide", "7.1"]) == 0
    printed = capsys.readouterr().out
    assert "systems.timeline" in printed
    assert "loadpath demo timeline" in printed


def test_a_chapter_brings_the_chapters_within_it() -> None:
    """7 stands for 7.1, 7.2 and so on; 1 does not stand for 10."""
    chapters = [{"number": number} for number in ("1", "7.1", "7.2", "10")]
    assert [c["number"] for c in chosen(chapters, "7")] == ["7.1", "7.2"]
    assert [c["number"] for c in chosen(chapters, "1")] == ["1"]
    assert chosen(chapters, None) == chapters


def test_an_unknown_chapter_is_answered_with_the_known_ones() -> None:
    """So that the next try is right."""
    with pytest.raises(UsageError, match=r"no chapter 8: choose one of 1, 2"):
        chosen([{"number": "1"}, {"number": "2"}], "8")


def test_programs_get_the_map_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same content."""
    assert run(["guide", "7.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == chosen(chapters_of(IN_CHECKOUT), "7.1")
