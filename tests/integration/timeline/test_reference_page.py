"""The shell examples of the reference page do what the page says."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.timeline.processes import Api

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "timeline.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the program curl is not installed")
@pytest.mark.skipif(shutil.which("bash") is None, reason="the program bash is not installed")
async def test_the_shell_examples_run(api: Api) -> None:
    """Block after block, as a reader would paste them, without an error."""
    assert BLOCKS
    for block in BLOCKS:
        ran = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-euo", "pipefail", "-c", block],
            env=os.environ | {"URL": api.url},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, (block, ran.stdout, ran.stderr)
