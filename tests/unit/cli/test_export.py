"""Behaviour of `loadpath export` and `loadpath import`."""

import json
from pathlib import Path

import pytest

from loadpath.cli.entry import run
from loadpath.gateway.reading import read_settings

SETTINGS = """
[upstreams.users]
endpoints = [{ address = "127.0.0.1:3001" }]
EXTRA

[[routes]]
name = "all"
targets = [{ upstream = "users" }]
"""


def gateway(folder: Path, extra: str = "") -> str:
    """Write settings and return their file."""
    file = folder / "gateway.toml"
    file.write_text(SETTINGS.replace("EXTRA", extra))
    return str(file)


@pytest.mark.parametrize("target", ["nginx", "haproxy", "envoy", "kubernetes", "aws"])
def test_a_file_is_printed_or_written(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same text either way."""
    config = gateway(tmp_path)
    assert run(["export", target, "-c", config]) == 0
    printed = capsys.readouterr().out
    assert run(["export", target, "-c", config, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_text() == printed
    assert "3001" in printed


def test_what_cannot_be_expressed_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the path of each setting."""
    config = gateway(tmp_path, "breaker = { open_for = 5 }")
    assert run(["export", "nginx", "-c", config, "--out", str(tmp_path / "out")]) == 2
    assert "$.upstreams.users.breaker: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, by both commands; 1 would say that something was written."""
    config, out, conf = gateway(tmp_path), str(tmp_path / "no" / "out"), tmp_path / "nginx.conf"
    conf.write_text("events {}\n")
    assert run(["export", "nginx", "-c", config, "--out", out]) == 2
    assert run(["import", "nginx", str(conf), "--out", out]) == 2
    assert capsys.readouterr().err.count(f"{out}: $: cannot be written") == 2


def test_json_lists_what_cannot_be_expressed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason and the next step, and what has no meaning there."""
    config = gateway(tmp_path, "breaker = { open_for = 5 }")
    assert run(["export", "nginx", "-c", config, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert not found["expressible"]
    (refusal,) = found["not_expressible"]
    assert refusal["path"] == "$.upstreams.users.breaker"
    assert refusal["why"]
    assert refusal["instead"]
    assert "admin" in {each["field"] for each in found["without_meaning"]}


def test_an_nginx_file_becomes_settings_and_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1: something was not understood."""
    file = tmp_path / "nginx.conf"
    file.write_text(
        "upstream b { server 127.0.0.1:1; keepalive 4; }\n"
        "server { listen 127.0.0.1:80; location / { proxy_pass http://b;\nauth_basic x; } }\n"
    )
    out = tmp_path / "gateway.toml"
    assert run(["import", "nginx", str(file), "--out", str(out)]) == 1
    assert f"{file}:3: auth_basic x: not understood" in capsys.readouterr().err
    assert set(read_settings(out).upstreams) == {"b"}
    assert run(["import", "nginx", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(each["line"], each["kind"]) for each in found["notes"]] == [(3, "not understood")]
    assert "upstreams.b" in found["toml"]


def test_an_export_comes_back_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0: everything was understood."""
    config, conf = gateway(tmp_path), tmp_path / "nginx.conf"
    assert run(["export", "nginx", "-c", config, "--out", str(conf)]) == 0
    assert run(["import", "nginx", str(conf), "--out", str(tmp_path / "again.toml")]) == 0
    assert not capsys.readouterr().err
    assert read_settings(tmp_path / "again.toml").upstreams == read_settings(config).upstreams


def test_what_is_no_nginx_file_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with the line."""
    file = tmp_path / "nginx.conf"
    for held in (b"a;\n}", b"a;\nb \xff;"):
        file.write_bytes(held)
        assert run(["import", "nginx", str(file)]) == 2
        assert f"{file}:2: " in capsys.readouterr().err
    file.unlink()
    assert run(["import", "nginx", str(file)]) == 2
    assert f"{file}: " in capsys.readouterr().err
