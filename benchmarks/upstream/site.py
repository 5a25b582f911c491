"""The packages that a user of httpx has, and none that only our development set brings.

httpcore asks for `sniffio` with every request, in vain where it is not installed: `pip install
httpx` does not bring it since anyio 4.12, and the search that fails is a third of what a request
then costs. Our development set has it (and `trio`) by way of packages that have nothing to do with
HTTP, which would make httpx look cheaper than its users find it.
"""

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

STRANGERS = {"sniffio", "trio"}
SOURCES = Path(__file__).parents[2] / "src"


@contextmanager
def without_strangers() -> Iterator[dict[str, str]]:
    """Give the environment of a process, to be run with `-S`, that finds no stranger."""
    with TemporaryDirectory(prefix="loadpath-bench-") as folder:
        for each in Path(sysconfig.get_path("purelib")).iterdir():
            if each.name.partition("-")[0] not in STRANGERS:
                (Path(folder) / each.name).symlink_to(each)
        paths = os.pathsep.join([str(SOURCES), folder])
        yield {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
