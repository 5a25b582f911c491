"""`python -m loadpath.gateway FILE`: what `loadpath gateway run` does, without its extras."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from loadpath.core.errors import LoadpathError
from loadpath.core.settings import SettingsError
from loadpath.gateway.fleet.supervisor import run
from loadpath.gateway.fleet.worker import ask_for_files
from loadpath.gateway.reading import missing_files, read_settings


def main(arguments: Sequence[str]) -> int:
    """Run a gateway until a signal; return its exit code.

    Args:
        arguments: The settings file.
    """
    if len(arguments) != 1:
        print("usage: python -m loadpath.gateway gateway.toml", file=sys.stderr)  # noqa: T201 - a command's own words
        return 2
    logging.basicConfig(level=logging.WARNING, format="loadpath gateway: %(message)s")
    try:
        serve(Path(arguments[0]))
    except LoadpathError as error:
        print(f"loadpath gateway: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 1
    return 0


def serve(file: Path) -> None:
    """Run the gateway of a settings file until a signal.

    Raises:
        SettingsError: The file is wrong, or names one that cannot be read.
        LoadpathError: The gateway could not be started.
    """
    settings = read_settings(file)
    for problem in missing_files(settings):
        raise SettingsError(file, problem.what, path=problem.path)
    ask_for_files()
    asyncio.run(run(file, settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
