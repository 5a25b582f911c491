"""`loadpath gateway check`: what is wrong, where, and the exit code."""

import json
from pathlib import Path

import pytest

from loadpath.cli.entry import run

GOOD = """
[upstreams.a]
endpoints = [{address = "a:1"}]
[[routes]]
name = "a"
targets = [{upstream = "a"}]
"""


def test_good_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    file = tmp_path / "gateway.toml"
    file.write_text(GOOD)
    assert run(["gateway", "check", "-c", str(file)]) == 0
    assert "good" in capsys.readouterr().out


def test_everything_that_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, each problem with its path; as JSON on demand."""
    file = tmp_path / "gateway.toml"
    file.write_text(GOOD.replace('upstream = "a"', 'upstream = "b"') + "[upstreams.c]\n")
    assert run(["gateway", "check", "-c", str(file)]) == 1
    said = capsys.readouterr().err
    assert "$.upstreams.c: needs" in said
    assert "$.routes[0].targets[0].upstream: there is no upstream 'b'" in said
    assert run(["gateway", "check", "-c", str(file), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["good"] is False
    assert [each["path"] for each in document["problems"]] == [
        "$.upstreams.c",
        "$.routes[0].targets[0].upstream",
    ]


@pytest.mark.parametrize(
    ("text", "path"), [("workers = 0", "$.workers"), ("a = ", "line 1"), ("x = 1", "$.x")]
)
def test_what_is_no_settings_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, path: str
) -> None:
    """The same, with the line of a syntax error."""
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    assert run(["gateway", "check", "-c", str(file), "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["path"] == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('listeners = [{tls = [{certificate = "junk", key = "junk"}]}]', "$.listeners[0].tls[0]"),
        ('[jwt.a]\nalgorithms = ["HS256"]\nsecret_file = "junk"', "$.jwt.a"),
        ('[jwt.a]\nalgorithms = ["RS256"]\nkey_file = "junk"', "$.jwt.a"),
        ('log = {access = "none/access.log"}', "$.log.access"),
        ('log = {access = "."}', "$.log.access"),
        ('upstreams.b = {endpoints = [{address = "b:1"}], health = {path = "/a b"}}',
         "$.upstreams.b.health.path"),
    ],
)  # fmt: skip
def test_what_could_not_start_is_not_good(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    path: str,
) -> None:
    """Files that are there and are no certificate, no key; a path that cannot be asked."""
    monkeypatch.chdir(tmp_path)
    Path("junk").write_text("nonsense")
    Path("gateway.toml").write_text(f"{text}\n{GOOD}")
    assert run(["gateway", "check", "-c", "gateway.toml", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["path"] == path


def test_running_bad_settings_is_asking_wrongly(tmp_path: Path) -> None:
    """Exit code 2, as for every command that is asked for wrongly."""
    assert run(["gateway", "run", "-c", str(tmp_path / "none.toml")]) == 2
