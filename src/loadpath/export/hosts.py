"""Which hosts need a server of their own, and whose routes each of them tries."""

from collections.abc import Iterator

from loadpath.gateway.settings.gateway import GatewaySettings

ANY_HOST = ""


def server_names(settings: GatewaySettings) -> list[str]:
    """Return the names that need a server of their own, the one for all other hosts first."""
    names = [host for route in settings.routes for host in route.match.hosts]
    for listener in settings.listeners:
        names += [name for each in listener.tls for name in each.names]
    return list(dict.fromkeys([ANY_HOST, *names]))


def hosts_for(settings: GatewaySettings, name: str) -> Iterator[str]:
    """Give the hosts whose routes a server tries, the nearest first."""
    wanted = {host for route in settings.routes for host in route.match.hosts}
    if name in wanted:
        yield name
    labels = name.removeprefix("*.").split(".")
    first = 0 if name.startswith("*.") else 1
    for place in range(first, len(labels)):
        wildcard = "*." + ".".join(labels[place:])
        if wildcard in wanted and wildcard != name:
            yield wildcard
    yield ANY_HOST
