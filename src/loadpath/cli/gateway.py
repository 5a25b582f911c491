"""`loadpath gateway`: run a gateway, or say what is wrong with its settings."""

import logging
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from loadpath.cli.output import console_for, print_json
from loadpath.core.settings import SettingsError, load
from loadpath.gateway.__main__ import serve
from loadpath.gateway.reading import missing_files, problems
from loadpath.gateway.serving.usable import unusable
from loadpath.gateway.settings.gateway import GatewaySettings

WRONG: Final = 1
"""Exit code when the settings are wrong."""

File = Annotated[Path, Parameter(name=("--config", "-c"))]


def run(*, config: File) -> None:
    """Run a gateway until SIGTERM or Ctrl-C, which let requests under way finish.

    A change of the settings file is taken over while it runs, on SIGHUP at once; what is wrong is
    refused, and the old settings stay.

    Args:
        config: The settings, gateway.toml.
    """
    logging.basicConfig(level=logging.WARNING, format="loadpath gateway: %(message)s")
    serve(config)


def check(*, config: File, json: bool = False) -> int:
    """Say everything that is wrong with settings; exits with 1 when anything is.

    Args:
        config: The settings, gateway.toml.
        json: Print it for programs.
    """
    found = _problems(config)
    if json:
        print_json({"file": str(config), "good": not found, "problems": found})
    elif found:
        for each in found:
            console_for(json=True).print(
                f"{config}: {each['path']}: {each['what']}", markup=False, soft_wrap=True
            )
    else:
        console_for(json=False).print(f"{config}: good", markup=False, soft_wrap=True)
    return WRONG if found else 0


def _problems(config: Path) -> list[dict[str, str | int]]:
    try:
        settings = load(config, GatewaySettings)
    except SettingsError as error:
        where = error.path if error.line is None else f"line {error.line}"
        what = str(error).partition(f"{error.path}: ")[2] if error.line is None else str(error)
        return [{"path": where, "what": what or str(error)}]
    found = [*problems(settings), *missing_files(settings)] or [*unusable(settings)]
    return [{"path": each.path, "what": each.what} for each in found]
