"""`loadpath check` ends with the verdict."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadpath.cli.entry import run

VALID = "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n"
STALE = "{:process 1 :type :invoke :f :read}\n{:process 1 :type :ok :f :read :value nil}\n"
QUEUE = "".join(
    [f"{{:process {n} :type :invoke :f :enqueue :value {n}}}\n" for n in range(16)]
    + [f"{{:process {n} :type :ok :f :enqueue :value {n}}}\n" for n in range(16)]
    + [
        "{:process 0 :type :invoke :f :dequeue}\n"
        f"{{:process 0 :type :ok :f :dequeue :value {n}}}\n"
        for n in (5, 3, 3)
    ]
)
"""A history that takes for ever: 16 elements in any order, and one of them comes twice."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file to write a history to."""
    return tmp_path / "history.edn"


@pytest.mark.parametrize(("text", "code"), [(VALID, 0), (VALID + STALE, 1)])
def test_the_exit_code_is_the_verdict(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    """0 valid, 1 invalid, in words beside it."""
    file.write_text(text)
    assert run(["check", str(file), "--model", "register"]) == code
    said = capsys.readouterr().out
    assert said.startswith(f"{file}: {'valid' if code == 0 else 'invalid'} as register")
    assert ("process 1: read → nil" in said) is (code == 1)


def test_nobody_knows_when_the_budget_is_over(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 is unknown, and the reason is told."""
    file.write_text(QUEUE)
    assert run(["check", str(file), "--model", "queue", "--steps", "100"]) == 2
    assert "the budget ended after 100 states" in capsys.readouterr().out
    assert run(["check", str(file), "--model", "queue", "--seconds", "0.01"]) == 2


def test_programs_get_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document for one file, a list for several; one invalid one is enough."""
    file.write_text(VALID + STALE)
    good = file.with_name("good.edn")
    good.write_text(VALID)
    assert run(["check", str(file), "--model", "register", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is False
    assert document["findings"][0]["operations"] == [0, 2]
    assert run(["check", str(good), str(file), "--model", "register", "--json"]) == 1
    assert [each["valid"] for each in json.loads(capsys.readouterr().out)] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["FILE"], 64, "--model"),
        (["--model", "register"], 64, "no history is named"),
        (["FILE", "--model", "registers"], 64, "--model must be one of"),
        (["FILE", "--model", "list-append", "--consistency", "x"], 64, "consistency must be"),
        (["FILE", "--model", "mutex", "--initial", "1"], 64, "--initial is for"),
        (["FILE", "--model", "register", "--initial", "[1"], 64, "never closed"),
        (["FILE", "--model", "register", "--steps", "0"], 64, "steps must be"),
        (["FILE", "--model", "register", "--seconds", "nan"], 64, "--seconds must be"),
        (["FILE", "--model", "register", "--bogus"], 64, "--bogus"),
        (["/no/such/file", "--model", "register"], 65, "No such file"),
        (["FILE", "--model", "mutex"], 65, "mutex has no call write"),
        (["FILE", "--model", "linearizable-bank"], 65, "tell the balances"),
    ],
)
def test_what_cannot_be_judged_is_no_verdict(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    """64 was asked wrongly, 65 is no such history: neither can be taken for invalid."""
    file.write_text(VALID)
    assert run(["check", *(str(file) if each == "FILE" else each for each in arguments)]) == code
    told = capsys.readouterr()
    assert says in told.err
    assert not told.out


def test_a_broken_file_is_told_with_its_line(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And values that a model can do nothing with are no traceback."""
    file.write_text(VALID + "{:type :ok")
    assert run(["check", str(file), "--model", "register"]) == 65
    assert f"{file}:3: " in capsys.readouterr().err
    file.write_text("{:process 0 :type :ok :f :add :value {1 2}}")
    assert run(["check", str(file), "--model", "set-full"]) == 65
    assert "does not fit set-full" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value 3}", ["3"]),
        (
            "{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :read :value nil}",
            ["nil"],
        ),
    ],
)
def test_the_first_value_can_be_told(file: Path, text: str, options: list[str]) -> None:
    """As EDN."""
    file.write_text(text)
    assert run(["check", str(file), "--model", "register", "--initial", *options]) == 0
    assert run(["check", str(file), "--model", "register", "--initial", "4"]) == 1


def test_standard_input_is_a_file_too() -> None:
    """Its name is a dash."""
    done = subprocess.run(
        [sys.executable, "-m", "loadpath", "check", "-", "--model", "register"],
        input=VALID.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"-: valid as register")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_long_check(file: Path, number: int, code: int) -> None:
    """At once, without a traceback and without a verdict."""
    os.mkfifo(file)
    process = subprocess.Popen(
        [sys.executable, "-m", "loadpath", "check", str(file), "--model", "queue"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with file.open("w") as pipe:  # opens when the command reads: its handlers are in place
        pipe.write(QUEUE)
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert not out
    assert b"Traceback" not in err
