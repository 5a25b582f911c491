"""Behaviour of the command line as a whole: what it costs, what it says, how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadpath.cli import main
from loadpath.cli.entry import StoppedError, UsageError, asked, make_app, run
from loadpath.core.errors import LoadpathError


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does."""
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )


def test_asking_for_help_imports_no_driver_and_no_numpy() -> None:
    """Help is there at once, whatever the commands need."""
    heavy = "{'numpy', 'asyncpg', 'redis', 'starlette', 'uvloop', 'aiohttp', 'psutil'}"
    done = python(
        "import sys; from loadpath.cli.entry import run; "
        f"run(['--help']); run(['demo', '--help']); sys.exit(bool({heavy} & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo" in done.stdout


def test_importing_the_command_line_imports_nothing_but_itself() -> None:
    """Even the library that parses arguments is an extra."""
    done = python(
        "import sys; import loadpath.cli; "
        "sys.exit(bool({'cyclopts', 'rich', 'numpy', 'asyncpg', 'msgspec'} & set(sys.modules)))"
    )
    assert done.returncode == 0


def test_a_missing_extra_is_named_with_its_remedy() -> None:
    """A person sees what to install, not a traceback."""
    done = python(
        "import sys; sys.modules['cyclopts'] = None\n"
        "from loadpath.cli import main; main(['version'])"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cyclopts" in done.stderr
    assert "pip install '.[all]'" in done.stderr


@pytest.mark.parametrize("missing", ["psutil", "asyncpg", "numpy"])
@pytest.mark.parametrize("group", ["demo", "up", "load"])
def test_a_command_without_its_packages_says_so_in_one_line(group: str, missing: str) -> None:
    """However deep in the command's own imports the package is missing."""
    done = python(
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from loadpath.cli import main; main([{group!r}, 'timeline'])"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"needs the package {missing}, which is missing: pip install '.[all]'" in done.stderr


def test_a_missing_module_of_our_own_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its traceback: no extra would bring it."""
    error = ModuleNotFoundError("no such module", name="loadpath.nowhere")
    monkeypatch.setattr("loadpath.cli.entry.make_app", lambda: _Failing(error))
    with pytest.raises(ModuleNotFoundError):
        run([])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gide"], "guide"),
        (["demo", "netflix"], "timeline"),
        (["demo", "timeline", "--user", "5"], "--users"),
        (["demo", "timeline", "--users", "many"], "--users"),
        (["demo", "timeline", "--users", "1"], "users must be between"),
        (["demo", "timeline", "--seconds", "0"], "seconds must be above 0"),
        (["demo", "timeline", "--posts", "-1"], "posts"),
        (["demo", "timeline", "--seconds", "nan"], "seconds must be above 0"),
        (["demo", "timeline", "--seconds", "inf"], "seconds must be above 0"),
        (["demo", "timeline", "--posts", "1e308", "--seconds", "1e308"], "posts must be 0 to"),
        (["demo", "timeline", "--posts", "nan"], "posts must be 0 to"),
        (["demo", "timeline", "--reads", "inf"], "reads must be 0 to"),
        (["demo", "timeline", "--followers", "nan"], "followers must be above 0"),
        (["load", "timeline", "--followers", "inf"], "followers must be above 0"),
        (["load", "timeline", "--seconds", "1e12"], "seconds must be above 0"),
        (["load", "timeline", "--posts", "1e6", "--seconds", "6e5"], "posts times seconds"),
        (["demo", "timeline", "--port", "70000"], "port"),
        (["load", "timeline", "--url", "http://127.0.0.1:8000"], "url and postgres"),
        (["load", "timeline", "--url", "nowhere", "--postgres", "x"], "url must look like"),
        (["up", "timeline", "--port", "0"], "port"),
        (["up", "timeline", "--apis", "100000"], "apis must be 1 to 64"),
        (["up", "timeline", "--data", ""], "--data is empty"),
        (["up", "timeline", "--binaries", ""], "--binaries is empty"),
        (["up", "timeline", "--postgres", "x", "--binaries", "system"], "binaries finds nothing"),
        (
            ["load", "timeline", "--url", "http://h:1", "--postgres", "x", "--binaries", "system"],
            "binaries finds nothing",
        ),
        (["guide", "99"], "no chapter 99"),
    ],
)
def test_a_wrong_question_gets_one_line_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names what is wrong; nothing is printed for programs."""
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("loadpath: ")
    assert printed.err.count("\n") == 1
    assert says in printed.err


@pytest.mark.parametrize("group", ["demo", "up", "load"])
def test_programs_that_are_not_where_they_should_be_are_told(
    group: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, disk_path: Path
) -> None:
    """With the ways to get them, before a graph is built."""
    more = ["--data", str(disk_path)] if group == "up" else ["--users", "1000"]
    assert run([group, "timeline", "--binaries", str(tmp_path / "none"), *more]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"not found in {tmp_path / 'none'}" in said
    assert "--binaries" in said


class _Failing:
    """Stand in for the application: raises when it is called."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, *_: object, **__: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoadpathError("the server died"), 1),
        (OSError("disk full"), 1),
        (UsageError("asked wrongly"), 2),
        (KeyboardInterrupt(), 130),
        (StoppedError(15), 143),
    ],
)
def test_each_end_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs tell failures, wrong questions and interruptions apart."""
    monkeypatch.setattr("loadpath.cli.entry.make_app", lambda: _Failing(error))
    assert run([]) == code


def test_a_bug_is_not_dressed_up_as_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not raised on purpose keeps its traceback."""
    monkeypatch.setattr("loadpath.cli.entry.make_app", lambda: _Failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        run([])


def test_values_that_are_refused_become_a_wrong_question() -> None:
    """Only around the making of a plan: a `ValueError` elsewhere is a bug."""
    with pytest.raises(UsageError, match="port"), asked():
        raise ValueError("port must be 1 to 65535")


def test_nobody_reading_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    """`loadpath guide | head -1` ends without a word on standard error."""
    program = f"{sys.executable} -m loadpath guide | head -1"
    done = subprocess.run(["/bin/sh", "-c", program], check=False, timeout=60)
    assert done.returncode == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "command",
    ["version", "version --json", "guide", "guide --json", "doctor", "--help", "demo timeline"],
)
def test_a_closed_output_is_one_line_and_a_failure(command: str) -> None:
    """Before anything is started whose result nobody could read."""
    done = shell(f"{sys.executable} -m loadpath {command} >&-")
    assert done.returncode == 1
    assert done.stderr == (
        "loadpath: standard output is closed: send it to a file, or to /dev/null\n"
    )


def test_a_closed_error_output_keeps_errors_out_of_the_figures() -> None:
    """The exit code still tells."""
    done = shell(f"{sys.executable} -m loadpath guide 99 --json 2>&-")
    assert (done.returncode, done.stdout) == (2, "")
    done = shell(f"{sys.executable} -m loadpath guide --json 2>&-")
    assert done.returncode == 0
    assert json.loads(done.stdout)


def test_the_program_exits_with_the_code_of_its_command() -> None:
    """`python -m loadpath` and the console script are the same."""
    with pytest.raises(SystemExit) as caught:
        main(["version"])
    assert caught.value.code == 0


@pytest.mark.parametrize("arguments", [["guide"], ["guide", "--json"], ["guide", "트"]])
def test_a_terminal_without_hangul_gets_escapes(arguments: list[str]) -> None:
    """What it cannot show is no traceback, on neither stream."""
    done = subprocess.run(
        [sys.executable, "-m", "loadpath", *arguments],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == (2 if len(arguments) == 2 and arguments[1] != "--json" else 0)
    assert b"Traceback" not in done.stderr
    assert b"\\u" in done.stdout + done.stderr


@pytest.mark.parametrize("group", ["demo", "up", "load"])
def test_a_list_of_systems_describes_each(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to ask for the help of each to learn what it is."""
    assert run([group]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "timeline " in each]
    assert "Twitter-like system" in line


@pytest.mark.parametrize("group", ["demo", "load"])
def test_help_tells_when_a_command_exits_with_0(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list has one line for each, the command's own help has the rest."""
    assert run([group, "timeline", "--help"]) == 0
    assert "Exits with 0 when" in " ".join(capsys.readouterr().out.split())
    assert run([group]) == 0
    assert "Exits with 0 when" not in " ".join(capsys.readouterr().out.split())


def test_every_command_is_there() -> None:
    """The issue's list, and `load`."""
    assert {"demo", "up", "load", "guide", "doctor", "version"} <= set(make_app())
