"""What settings name, can be read, and cannot be used: certificates, keys, the place of the log."""

from collections.abc import Iterator
from pathlib import Path

from loadpath.core.errors import LoadpathError
from loadpath.gateway.checks.problem import Problem, key
from loadpath.gateway.serving.certificates import Chosen
from loadpath.gateway.settings.filters import JwtSettings
from loadpath.gateway.settings.gateway import GatewaySettings


def unusable(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what a gateway would be refused for when it starts; every file is there already."""
    for place, listener in enumerate(settings.listeners):
        for at, each in enumerate(listener.tls):
            try:
                Chosen([each])
            except LoadpathError as error:
                yield Problem(f"$.listeners[{place}].tls[{at}]", str(error))
    for name, jwt in settings.jwt.items():
        yield from _unusable_key(f"$.jwt{key(name)}", jwt)
    log = settings.log.access
    if log not in ("", "-") and (Path(log).is_dir() or not Path(log).parent.is_dir()):
        yield Problem("$.log.access", f"{log!r} is a folder, or in none that is there")


def _unusable_key(path: str, jwt: JwtSettings) -> Iterator[Problem]:
    file = jwt.secret_file or jwt.key_file
    if not file:
        return
    try:
        from loadpath.gateway.filters import keys  # noqa: PLC0415 - needs an extra

        read = keys.shared_secret if jwt.secret_file else keys.public_key
        read(Path(file).read_bytes(), jwt.algorithms)
    except LoadpathError as error:
        yield Problem(path, f"{file}: {error}")
