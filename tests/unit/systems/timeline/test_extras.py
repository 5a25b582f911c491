"""Without its extra the timeline system says which one that is."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from loadpath.systems.timeline.extras import PACKAGES

PROJECT = Path(__file__).parents[4] / "pyproject.toml"


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it says at its end."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("module", ["service", "load.population", "api.cursors", "up"])
@pytest.mark.parametrize("missing", ["asyncpg", "uvloop"])
def test_every_way_in_names_the_extra(module: str, missing: str) -> None:
    """Whichever package is missing, and whether that module needs it or not."""
    said = python(
        f"import sys; sys.modules[{missing!r}] = None\nimport loadpath.systems.timeline.{module}"
    )
    assert "ExtraMissingError: loadpath.systems.timeline needs its extra" in said
    assert missing in said
    assert "pip install 'loadpath[timeline]'" in said


def test_looking_imports_nothing() -> None:
    """A pure module of the system costs no driver."""
    said = python(
        "import sys, loadpath.systems.timeline.api.cursors\n"
        "print({'asyncpg', 'numpy', 'uvloop', 'starlette'} & set(sys.modules))"
    )
    assert said == "set()\n"


def test_the_extra_is_the_one_of_the_project() -> None:
    """A package added there is looked for here."""
    extra = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]["timeline"]
    assert {re.split(r"[\[>]", each)[0] for each in extra} == set(PACKAGES)
