"""What can be wrong with the services behind the gateway."""

from collections.abc import Iterator

from loadpath.balance.endpoint import Endpoint
from loadpath.gateway.checks.problem import Problem, key, name_problem, repeated
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.upstreams import Discovery, UpstreamSettings

_BY_HASH = ("ketama", "maglev")


def upstream_problems(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what is wrong with `upstreams`."""
    for name, each in settings.upstreams.items():
        path = f"$.upstreams{key(name)}"
        yield from _endpoint_problems(path, each)
        yield from _hash_problems(path, each)


def _endpoint_problems(path: str, upstream: UpstreamSettings) -> Iterator[Problem]:
    if bool(upstream.endpoints) == (upstream.discovery is not None):
        yield Problem(path, "needs either endpoints or discovery")
    if upstream.discovery is not None:
        yield from _discovery_problems(f"{path}.discovery", upstream.discovery)
    for place, each in enumerate(upstream.endpoints):
        try:
            Endpoint.parse(each.address)
        except ValueError as error:
            yield Problem(f"{path}.endpoints[{place}].address", str(error))
    addresses = (each.address for each in upstream.endpoints)
    yield from repeated(f"{path}.endpoints[{{}}].address", addresses, "the endpoint")
    if upstream.endpoints and all(each.backup for each in upstream.endpoints):
        yield Problem(f"{path}.endpoints", "not all may be backups: nothing is left to back up")


def _discovery_problems(path: str, discovery: Discovery) -> Iterator[Problem]:
    if bool(discovery.file) == bool(discovery.dns):
        yield Problem(path, "needs either file or dns")
    if discovery.dns and not discovery.port:
        yield Problem(f"{path}.port", "missing: DNS does not know ports")
    if discovery.file and not discovery.file.endswith((".toml", ".json")):
        yield Problem(f"{path}.file", "must end in .toml or .json, which tells its format")


def _hash_problems(path: str, upstream: UpstreamSettings) -> Iterator[Problem]:
    hashed = upstream.hash
    if hashed.source in ("header", "cookie"):
        if not hashed.name:
            yield Problem(f"{path}.hash.name", f"missing: which {hashed.source} is hashed?")
        else:
            yield from name_problem(f"{path}.hash.name", hashed.name)
    if (hashed.source != "client" or hashed.name) and upstream.policy not in _BY_HASH:
        yield Problem(f"{path}.hash", f"only {' and '.join(_BY_HASH)} hash: set policy, or remove")
