"""Upstream blocks as upstreams of a gateway."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from loadpath.balance.endpoint import Endpoint
from loadpath.export.reading.notes import Notes
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import name, seconds, whole
from loadpath.export.reading.waits import DAY
from loadpath.gateway.settings.upstreams import (
    EndpointSettings,
    HashKey,
    PassiveHealth,
    PolicyName,
    StickySettings,
)

T = TypeVar("T")
_METHODS: Final[dict[str, PolicyName]] = {
    "least_conn": "least_connections",
    "ip_hash": "ip_hash",
    "random": "random",
    "hash": "ketama",
    "least_time": "least_response_time",
}
_LARGEST_WEIGHT: Final = 256
_NGINX_PASSIVE: Final = PassiveHealth(max_fails=1, fail_timeout=10.0)


def read_upstream(block: Directive, notes: Notes) -> dict[str, Any]:
    """Return the fields of one upstream.

    Args:
        block: The upstream block.
        notes: Where is noted what is not understood.
    """
    block.take()
    for each in block.all("zone"):
        each.take()
    servers = [each for each in block.all("server") if each.args]
    fields: dict[str, Any] = {"endpoints": tuple(_endpoints(servers, notes))}
    fields |= _method(block, notes)
    fields |= _passive(servers, notes)
    connections = _shared(servers, "max_conns=", whole, 100, notes)
    fields["connections"] = connections or 100
    fields |= _keepalive(block, len(fields["endpoints"]), notes)
    return fields | _sticky(block, notes)


def _endpoints(servers: list[Directive], notes: Notes) -> list[EndpointSettings]:
    endpoints: list[EndpointSettings] = []
    for server in servers:
        address, *options = server.take()
        if ":" not in address and not address.startswith("unix"):
            address += ":80"
        if "down" in options:
            notes.add(server, "differs", "it is down, so it is left out")
            continue
        try:
            Endpoint.parse(address)
        except ValueError as error:
            notes.add(server, "not understood", str(error))
            continue
        weight = whole(_option(options, "weight=") or "1") or 1
        if weight > _LARGEST_WEIGHT:
            notes.add(server, "differs", f"weights go up to {_LARGEST_WEIGHT}")
        endpoints.append(
            EndpointSettings(
                address=address, weight=min(weight, _LARGEST_WEIGHT), backup="backup" in options
            )
        )
        _unknown(server, options, notes)
    return endpoints


def _unknown(server: Directive, options: list[str], notes: Notes) -> None:
    known = ("weight=", "max_fails=", "fail_timeout=", "max_conns=")
    for each in options:
        if each != "backup" and not each.startswith(known):
            notes.add(server, "not understood", f"{each} is left out")


def _method(block: Directive, notes: Notes) -> dict[str, Any]:
    found = [each for each in block.block or () if each.name in _METHODS]
    if not found:
        return {"policy": "round_robin"}
    for each in found[:-1]:
        notes.add(
            each, "mistake", f"an upstream has one balancing method: only {found[-1].name} applies"
        )
    last = found[-1]
    words = last.take()
    if last.name == "random" and words:
        notes.add(last, "differs", "the choice between two is left out")
    if last.name == "least_time":
        notes.add(last, "differs", "least_response_time also counts calls in flight and failures")
    fields: dict[str, Any] = {"policy": _METHODS[last.name]}
    if last.name == "hash":
        fields["hash"] = _hash(last, words, notes)
    return fields


def _hash(at: Directive, words: tuple[str, ...], notes: Notes) -> HashKey:
    if words[1:] != ("consistent",):
        notes.add(
            at, "differs", "keys are placed on a ring (consistent), so most of them move once"
        )
    variable = words[0] if words else ""
    if variable.startswith("$http_"):
        return HashKey(source="header", name=_field_name(variable[6:]))
    if variable.startswith("$cookie_"):
        return HashKey(source="cookie", name=variable[8:])
    if variable in ("$uri", "$request_uri"):
        return HashKey(source="path")
    if variable not in ("$remote_addr", "$binary_remote_addr"):
        notes.add(at, "not understood", f"{variable} is not known; the client's address is hashed")
    return HashKey()


def _field_name(variable: str) -> str:
    return "-".join(each.capitalize() for each in variable.split("_"))


def _passive(servers: list[Directive], notes: Notes) -> dict[str, Any]:
    fails = _shared(servers, "max_fails=", whole, _NGINX_PASSIVE.max_fails, notes)
    away = _shared(servers, "fail_timeout=", seconds, _NGINX_PASSIVE.fail_timeout, notes)
    for each in servers:
        if (seconds(_option(each.args, "fail_timeout=") or "") or 0) > DAY:
            notes.add(each, "differs", "fail_timeout is at most a day here")
    return {"passive": PassiveHealth(max_fails=fails, fail_timeout=min(away or 1.0, DAY))}


def _shared(
    servers: list[Directive],
    option: str,
    read: Callable[[str], T | None],
    default: T,
    notes: Notes,
) -> T:
    """Return what servers say about one option: the first that says something speaks for all."""
    said = [(each, _option(each.args, option)) for each in servers]
    values = [(each, read(text)) for each, text in said if text is not None]
    kept = [value for _, value in values if value is not None]
    chosen = kept[0] if kept else default
    for each, value in values:
        if value is None:
            notes.add(each, "not understood", f"{option} is left out")
        elif value != chosen:
            notes.add(each, "differs", f"{option} is one for the whole upstream: {chosen}")
    if kept and len(values) < len(servers):
        notes.add(values[0][0], "differs", f"{option} holds for every endpoint of the upstream")
    return chosen


def _option(options: tuple[str, ...] | list[str], name: str) -> str | None:
    return next((each[len(name) :] for each in options if each.startswith(name)), None)


def _keepalive(block: Directive, endpoints: int, notes: Notes) -> dict[str, Any]:
    found = block.first("keepalive")
    if found is None:
        notes.add(
            block,
            "mistake",
            "without keepalive nginx before 1.29.7 makes a connection for every request;"
            " the gateway keeps 32 for each endpoint",
        )
        return {}
    idle = whole(found.take()[0]) if found.args else None
    return {} if not idle else {"keepalive": max(-(-idle // max(endpoints, 1)), 1)}


def _sticky(block: Directive, notes: Notes) -> dict[str, Any]:
    found = block.first("sticky")
    if found is None:
        return {}
    words = found.take()
    if words[:1] != ("cookie",) or len(words) < 2 or name(words[1]) != words[1]:  # noqa: PLR2004 - a kind and a name
        notes.add(found, "not understood", "only `sticky cookie NAME` is known")
        return {}
    age = seconds(_option(words, "expires=") or "0s") or 0
    return {"sticky": StickySettings(cookie=words[1], max_age=int(age))}
