"""Every field of gateway.toml, and settings in which it says something else."""

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from loadpath.gateway.settings.gateway import GatewaySettings

BASE: dict[str, Any] = {
    "listeners": [{"host": "127.0.0.1", "port": 8080}],
    "upstreams": {
        "users": {"endpoints": [{"address": "127.0.0.1:3001"}, {"address": "127.0.0.2:3001"}]},
        "spare": {"endpoints": [{"address": "127.0.0.1:3003"}]},
    },
    "routes": [
        {"name": "users", "match": {"prefix": "/users"}, "targets": [{"upstream": "users"}]}
    ],
}
"""What every target can say."""

PARTS: dict[str, Any] = {
    "listeners[].tls": [{"certificate": "/etc/a.pem", "key": "/etc/a.key"}],
    "redis": {"url": "redis://127.0.0.1:6379/0"},
    "jwt": {"main": {"algorithms": ["HS256"], "secret_file": "/etc/secret"}},
    "api_keys": {"keys": [{"name": "bob", "sha256": "0" * 64}]},
    "upstreams.*.discovery": {"dns": "found.example.com", "port": 80},
    "upstreams.*.health": {},
    "upstreams.*.breaker": {},
    "upstreams.*.tls": {"ca": "/etc/ca.pem", "server_name": "users.example.com"},
    "upstreams.*.sticky": {"max_age": 60},
    "routes[].static": {"root": "/srv/files"},
    "routes[].respond": {"status": 410},
    "routes[].mirror": {"upstream": "spare"},
    "routes[].authorise": {"by": ["main"]},
    "routes[].cors": {"origins": ["https://a.example.com"]},
    "routes[].rate_limit": {"limit": 7, "burst": 7, "key": "route"},
    "routes[].compress": {},
}
"""Optional parts as they are before one of their fields is changed."""

IN_KUBERNETES: dict[str, Any] = {
    "upstreams.*.tls": {"server_name": "users.example.com"},
    "routes[].respond": {"status": 301, "location": "https://a.example.com/"},
}
"""Those that only Kubernetes can say."""

OTHERS: dict[str, Any] = {
    "listeners[].tls[].names": ["b.example.com"],
    "listeners[].host": "127.0.0.9",
    "trusted_proxies": ["10.0.0.0/8"],
    "routes[].match.exact": "/other",
    "routes[].match.regex": "/other/[0-9]+",
    "upstreams.*.discovery.file": "endpoints.toml",
    "upstreams.*.passive.max_ejected": 0.25,
    "upstreams.*.retries.budget": 0.25,
    "upstreams.*.breaker.failure_rate": 0.25,
    "routes[].mirror.share": 0.25,
    "log.access": "/var/log/access.log",
    "upstreams.*.endpoints[].address": "127.0.0.1:3009",
    "upstreams.*.hash.source": "path",
    "upstreams.*.hash.name": "X-Key",
    "upstreams.*.health.path": "/alive",
    "upstreams.*.health.status": [204],
    "upstreams.*.passive.fail_timeout": 7.0,
    "upstreams.*.timeouts.total": 9.0,
    "routes[].name": "others",
    "routes[].match.hosts": ["b.example.com"],
    "routes[].match.prefix": "/other",
    "routes[].match.methods": ["PUT"],
    "routes[].match.headers": {"X-Kind": "b"},
    "routes[].targets[].upstream": "spare",
    "routes[].rewrite.prefix": "/there",
    "routes[].rewrite.path": "/there",
    "routes[].rewrite.host": "there.example.com",
    "routes[].mirror.upstream": "users",
    "routes[].addresses.allow": ["10.0.0.0/8"],
    "routes[].addresses.deny": ["10.0.0.0/8"],
    "routes[].cors.origins": ["https://b.example.com"],
    "routes[].cors.methods": ["PUT"],
    "routes[].cors.headers": ["X-B"],
    "routes[].cors.expose": ["X-B"],
    "routes[].compress.types": ["text/css"],
    "routes[].compress.encodings": ["zstd"],
    "routes[].rate_limit.limit": 9,
    "routes[].rate_limit.burst": 3,
    "routes[].request_headers.set": {"X-B": "b"},
    "routes[].request_headers.remove": ["X-B"],
    "routes[].response_headers.set": {"X-B": "b"},
    "routes[].response_headers.remove": ["X-B"],
    "routes[].rate_limit.key": "client",
    "routes[].rate_limit.header": "X-B",
    "routes[].respond.location": "https://b.example.com/",
    "routes[].respond.status": 404,
    "jwt.*.algorithms": ["HS512"],
    "api_keys.keys[].sha256": "1" * 64,
    "routes[].authorise.by": ["api_keys"],
    "routes[].authorise.claims": {"team": "b"},
}
"""Other values, where one cannot be made from the type."""


def fields(kind: Any = GatewaySettings, at: str = "") -> Iterator[tuple[str, Any]]:
    """Give the path of every field that holds a value, with its type and default."""
    for field in msgspec.structs.fields(kind):
        path = f"{at}.{field.name}" if at else field.name
        inner, suffix = _struct_in(field.type)
        if inner is None:
            yield path, (field.type, field.default)
        else:
            yield from fields(inner, path + suffix)


def _struct_in(kind: Any) -> tuple[Any, str]:
    """Return the Struct that a type holds, and how a path goes on to it."""
    if get_origin(kind) is Annotated:
        return _struct_in(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, ""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return next((found for each in args if (found := _struct_in(each))[0]), (None, ""))
    if origin is tuple and _struct_in(args[0])[0]:
        return _struct_in(args[0])[0], "[]"
    if origin is dict and _struct_in(args[1])[0]:
        return _struct_in(args[1])[0], ".*"
    return None, ""


def with_other(path: str, kind: Any, target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings before and after one field is changed."""
    before, after = _prepared(path, target), _prepared(path, target)
    holder, name = _place(after, path)
    type_, default = kind
    holder[name] = OTHERS[path] if path in OTHERS else _other(type_, holder.get(name, default))
    return before, after


def _prepared(path: str, target: str) -> dict[str, Any]:
    """Return settings in which the parts that a field belongs to are there."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(BASE))
    users, route = document["upstreams"]["users"], document["routes"][0]
    for part, value in (PARTS | (IN_KUBERNETES if target == "kubernetes" else {})).items():
        if path.startswith((f"{part}.", f"{part}[")):
            holder, name = _place(document, part)
            holder[name] = msgspec.json.decode(msgspec.json.encode(value))
    if path.startswith("upstreams.*.hash"):
        users["policy"] = "ketama"
        users["hash"] = {"source": "header", "name": "X-User"}
    if path.startswith("upstreams.*.discovery"):
        del users["endpoints"]
    if path.startswith(("routes[].static", "routes[].respond")):
        del route["targets"]
    if path == "routes[].respond.location":
        route["respond"] = {"status": 301, "location": "https://a.example.com/"}
    if path == "routes[].targets[].weight":
        route["targets"].append({"upstream": "spare"})
    if path == "routes[].rate_limit.header":
        route["rate_limit"]["key"] = "header"
    if path in ("routes[].match.exact", "routes[].match.regex", "routes[].rewrite.path"):
        del route["match"]["prefix"]
    return document


def _place(document: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Return the table that holds a field, made where it is missing, and the field's name."""
    *parts, name = path.split(".")
    here: Any = document
    for part in parts:
        if part == "*":
            here = next(iter(here.values()))
        elif part.endswith("[]"):
            here = here[part[:-2]][0]
        else:
            here = here.setdefault(part, {})
    return here, name


def _other(kind: Any, now: Any) -> Any:
    """Return another value of a type."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Annotated, types.UnionType, typing.Union):
        return _other(args[0], now)
    if origin is Literal:
        return next(each for each in reversed(args) if each != now)
    if kind is bool:
        return not now
    if kind in (int, float):
        return kind(7)
    return ["other"] if origin is tuple else "other"
