"""An environment runs the code of its own clone, by the Python that was asked for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# As the real one does, its editable install leaves a folder `loadpath` among the packages: without
# its clone that imports as an empty namespace.
BACKEND = """
from pathlib import Path
from zipfile import ZipFile

def build_editable(folder, *_):
    name = "loadpath-1-py3-none-any.whl"
    info = "loadpath-1.dist-info"
    with ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("loadpath.pth", str(Path("src").absolute()))
        wheel.writestr("loadpath/cli/map.toml", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: loadpath\\nVersion: 1\\n")
        tag = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\n" + tag)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "loadpath"
version = "1"
"""


def small_clone(folder: Path) -> Path:
    """Make a clone with the real script, that needs no package and so no network."""
    for name in ("scripts", "requirements", "src/loadpath"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/bootstrap", folder / "scripts")
    (folder / "requirements/none.txt").touch()
    (folder / "src/loadpath/__init__.py").touch()
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(PROJECT)
    return folder


def bootstrap(clone: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in a clone, with the uv that made our own environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [clone / "scripts/bootstrap", sys.executable, ".venv", "none"],
        cwd=clone,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def imported(clone: Path) -> str:
    """Return which file the clone's environment imports as `loadpath`."""
    python = clone / ".venv/bin/python"
    code = "import loadpath; print(loadpath.__file__)"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def assert_runs_itself(clone: Path) -> None:
    """Check that the clone's environment runs its code, and the tools in it are its own."""
    done = bootstrap(clone)
    assert done.returncode == 0, done.stderr
    assert imported(clone) == str(clone / "src/loadpath/__init__.py")
    assert str(clone) in (clone / ".venv/bin/activate").read_text()


def test_a_clone_is_installed_once(tmp_path: Path) -> None:
    """The second time there is nothing to do and nothing to say; no temporary file stays."""
    clone = small_clone(tmp_path / "clone with a space")
    assert "installing the none set" in bootstrap(clone).stderr
    assert bootstrap(clone).stderr == ""
    assert_runs_itself(clone)
    assert not (clone / ".venv/tmp").exists()


def test_a_renamed_clone_is_installed_again(tmp_path: Path) -> None:
    """Its environment names the old path everywhere."""
    clone = small_clone(tmp_path / "before")
    assert_runs_itself(clone)
    assert_runs_itself(clone.rename(tmp_path / "after"))


def test_a_copied_clone_never_runs_the_code_of_the_old_one(tmp_path: Path) -> None:
    """The old clone is still there, and would answer."""
    clone = small_clone(tmp_path / "first")
    assert_runs_itself(clone)
    assert_runs_itself(Path(shutil.copytree(clone, tmp_path / "second", symlinks=True)))
    assert_runs_itself(clone)


def test_another_loadpath_in_the_environment_is_replaced(tmp_path: Path) -> None:
    """Whatever was installed into it by hand."""
    clone = small_clone(tmp_path / "clone")
    assert_runs_itself(clone)
    (path,) = clone.glob(".venv/lib/*/site-packages/loadpath.pth")
    path.write_text(str(ROOT / "src"))
    assert_runs_itself(clone)


def test_another_python_gets_an_environment_of_its_own(tmp_path: Path) -> None:
    """What the other one installed is gone."""
    clone = small_clone(tmp_path / "clone")
    assert_runs_itself(clone)
    (clone / ".venv/.made-as").write_text("python 3.99")
    (clone / ".venv/bin/left-over").touch()
    assert_runs_itself(clone)
    assert not (clone / ".venv/bin/left-over").exists()


def test_a_folder_that_is_no_environment_is_not_cleared(tmp_path: Path) -> None:
    """It may be somebody's own, named by mistake."""
    clone = small_clone(tmp_path / "clone")
    (clone / ".venv").mkdir()
    (clone / ".venv/thesis").touch()
    done = bootstrap(clone)
    assert done.returncode == 1
    assert "no virtual environment" in done.stderr
    assert (clone / ".venv/thesis").exists()


@pytest.mark.parametrize("letter", ["$x", "`x`", '"', "\\"])
def test_a_path_that_breaks_the_tools_of_postgresql_is_refused(tmp_path: Path, letter: str) -> None:
    """They hand it to a shell: better one line now than a failure after the installation."""
    done = bootstrap(small_clone(tmp_path / f"clone{letter}"))
    assert done.returncode == 1
    assert "PostgreSQL's own tools" in done.stderr
    assert done.stderr.count("\n") == 1
