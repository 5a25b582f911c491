"""What can be wrong with where the gateway listens and whom it believes."""

from collections.abc import Iterator

from loadpath.gateway.checks.problem import Problem, network_problems
from loadpath.gateway.settings.gateway import GatewaySettings


def listening_problems(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what is wrong with listeners, admin and trusted proxies."""
    taken: dict[tuple[str, int], str] = {}
    places = [
        (f"$.listeners[{place}].port", each.host, each.port)
        for place, each in enumerate(settings.listeners)
    ]
    if settings.admin is not None:
        places.append(("$.admin.port", settings.admin.host, settings.admin.port))
    for path, host, port in places:
        other = taken.setdefault((host, port), path)
        if other != path:
            yield Problem(path, f"{host}:{port} is taken by {other}: choose another port")
    yield from network_problems("$.trusted_proxies", settings.trusted_proxies)
    if settings.limits.request_line > settings.limits.head:
        yield Problem("$.limits.request_line", "must be at most limits.head, which holds it")
