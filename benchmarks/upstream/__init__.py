"""What a request costs the client: httpx over our transport and over its own, and aiohttp.

Measured by a process of its own that finds of all packages only what `pip install httpx` and ours
bring; see `site`.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.result import Result
from benchmarks.upstream.site import without_strangers

ROOT = Path(__file__).parents[2]


def run() -> list[Result]:
    """Return every figure of the room."""
    with without_strangers() as environment:
        measured = subprocess.run(
            [sys.executable, "-S", "-m", "benchmarks.upstream.measure"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
    return msgspec.json.decode(measured.stdout, type=list[Result])
