"""Read `gateway.toml`: what no single field shows is checked here, and said with its path.

Only what stands in the file is looked at, so that settings for other machines can be read too;
whether the files that it names are there is asked by `missing_files`.
"""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from loadpath.core.settings import SettingsError, load
from loadpath.gateway.checks.files import unreadable
from loadpath.gateway.checks.identity import identity_problems
from loadpath.gateway.checks.listening import listening_problems
from loadpath.gateway.checks.problem import Problem
from loadpath.gateway.checks.routes import route_problems
from loadpath.gateway.checks.upstreams import upstream_problems
from loadpath.gateway.settings.gateway import GatewaySettings


def read_settings(path: str | PathLike[str]) -> GatewaySettings:
    """Return the settings of one gateway.

    Args:
        path: The TOML file.

    Raises:
        SettingsError: It cannot be read, does not fit, or contradicts itself; names the first
            problem's path, such as `$.routes[0].targets[0].upstream`.
    """
    settings = load(path, GatewaySettings)
    for problem in problems(settings):
        raise SettingsError(Path(path), problem.what, path=problem.path)
    return settings


def problems(settings: GatewaySettings) -> Iterator[Problem]:
    """Give everything that makes settings contradict themselves."""
    yield from listening_problems(settings)
    yield from identity_problems(settings)
    yield from upstream_problems(settings)
    yield from route_problems(settings)


def missing_files(settings: GatewaySettings) -> Iterator[Problem]:
    """Give the files and folders that settings name and this process cannot read."""
    yield from unreadable(settings)
