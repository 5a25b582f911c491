"""Which files and folders settings name that this process cannot read."""

import os
from collections.abc import Iterator
from pathlib import Path

from loadpath.gateway.checks.problem import Problem, key
from loadpath.gateway.settings.gateway import GatewaySettings


def unreadable(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what is named and cannot be read."""
    for path, file in named_files(settings):
        if not os.access(file, os.R_OK) or Path(file).is_dir():
            yield Problem(path, f"{file!r} is no file that can be read from {Path.cwd()}")
    for place, route in enumerate(settings.routes):
        if route.static is not None and not Path(route.static.root).is_dir():
            root = route.static.root
            yield Problem(f"$.routes[{place}].static.root", f"{root!r} is no folder")


def named_files(settings: GatewaySettings) -> Iterator[tuple[str, str]]:
    """Give every file that settings name, with the path of the setting."""
    for place, listener in enumerate(settings.listeners):
        for at, each in enumerate(listener.tls):
            yield f"$.listeners[{place}].tls[{at}].certificate", each.certificate
            yield f"$.listeners[{place}].tls[{at}].key", each.key
    for name, jwt in settings.jwt.items():
        for field in ("secret_file", "key_file"):
            if file := getattr(jwt, field):
                yield f"$.jwt{key(name)}.{field}", file
    for name, upstream in settings.upstreams.items():
        if upstream.tls is not None and upstream.tls.ca:
            yield f"$.upstreams{key(name)}.tls.ca", upstream.tls.ca
