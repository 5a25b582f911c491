"""Look whether the `timeline` extra is installed, without importing it: that takes a second."""

from importlib.util import find_spec
from typing import Final

from loadpath.core.errors import LoadpathError

PACKAGES: Final = (
    "asyncpg",
    "httptools",
    "joserfc",
    "numpy",
    "psutil",
    "redis",
    "starlette",
    "uvicorn",
    "uvloop",
)


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that the timeline system needs."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(
            f"loadpath.systems.timeline needs its extra ({', '.join(missing)} missing): "
            "pip install 'loadpath[timeline]'"
        )


def check() -> None:
    """Refuse to go on without the extra.

    Raises:
        ExtraMissingError: A package of it is not installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ExtraMissingError(missing) from ModuleNotFoundError(
            f"No module named {missing[0]!r}", name=missing[0]
        )
