"""What can be wrong with routes."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from loadpath.gateway.checks.identity import KEYS
from loadpath.gateway.checks.patterns import pattern_problem
from loadpath.gateway.checks.problem import (
    Problem,
    field_problems,
    name_problem,
    network_problems,
    repeated,
)
from loadpath.gateway.settings.filters import Cors, HeaderRules, RateLimitSettings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Rewrite, Route
from loadpath.http.grammar import PATH, QUERY, authority, token

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_TARGET = re.compile(PATH + QUERY)
_REDIRECTS = range(300, 400)
_GROUP = re.compile(r"\\(?:g<[^>]*>|[0-9]+)")


def route_problems(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what is wrong with `routes`."""
    names = (each.name for each in settings.routes)
    yield from repeated("$.routes[{}].name", names, "the name")
    taken: dict[str, int] = {}
    for place, route in enumerate(settings.routes):
        path = f"$.routes[{place}]"
        other = taken.setdefault(repr(route.match), place)
        if other != place:
            yield Problem(
                f"{path}.match", f"is never reached: $.routes[{other}] matches the same requests"
            )
        yield from _match_problems(f"{path}.match", route.match)
        yield from _action_problems(path, route, settings)
        yield from _rewrite_problems(f"{path}.rewrite", route)
        yield from _filter_problems(path, route, settings)


def _match_problems(path: str, match: Match) -> Iterator[Problem]:
    if sum(each is not None for each in (match.prefix, match.exact, match.regex)) > 1:
        yield Problem(path, "at most one of prefix, exact and regex")
    for place, host in enumerate(match.hosts):
        if not _HOST.fullmatch(host):
            yield Problem(
                f"{path}.hosts[{place}]",
                f"must be a name in lower case without a port, perhaps after `*.`: {host!r}",
            )
    for field in ("prefix", "exact"):
        yield from _path_problem(f"{path}.{field}", getattr(match, field))
    if match.regex is not None and (why := pattern_problem(match.regex)):
        yield Problem(f"{path}.regex", why)
    for place, method in enumerate(match.methods):
        if not token.fullmatch(method.encode()) or method != method.upper():
            yield Problem(f"{path}.methods[{place}]", f"must be a method such as GET: {method!r}")
    for name, value in match.headers.items():
        yield from name_problem(f"{path}.headers.{name}", name)
        if not value:
            yield Problem(f"{path}.headers.{name}", "must be a value, or * for any")


def _path_problem(path: str, written: str | None) -> Iterator[Problem]:
    if written is None:
        return
    if "?" in written or not _TARGET.fullmatch(written.encode()):
        yield Problem(path, "must be a path without a query, other letters percent-encoded")
    elif "//" in written or {".", ".."} & set(written.split("/")):
        yield Problem(path, "is never reached: paths are matched without `//`, `.` and `..`")


def _action_problems(path: str, route: Route, settings: GatewaySettings) -> Iterator[Problem]:
    ways = (bool(route.targets), route.static is not None, route.respond is not None)
    if sum(ways) != 1:
        yield Problem(path, "needs exactly one of targets, static and respond")
    for place, target in enumerate(route.targets):
        yield from _known(f"{path}.targets[{place}].upstream", target.upstream, settings)
    if route.targets and not any(each.weight for each in route.targets):
        yield Problem(f"{path}.targets", "one needs a weight above 0")
    named = (each.upstream for each in route.targets)
    yield from repeated(f"{path}.targets[{{}}].upstream", named, "the upstream")
    if route.mirror is not None:
        yield from _known(f"{path}.mirror.upstream", route.mirror.upstream, settings)
        if not route.targets:
            yield Problem(f"{path}.mirror", "copies what goes to targets: there are none")
    if route.respond is not None and route.respond.location:
        yield from _location_problems(f"{path}.respond", route.respond.location, route)


def _known(path: str, name: str, settings: GatewaySettings) -> Iterator[Problem]:
    if name not in settings.upstreams:
        known = ", ".join(settings.upstreams) or "none"
        yield Problem(path, f"there is no upstream {name!r}; there are: {known}")


def _location_problems(path: str, location: str, route: Route) -> Iterator[Problem]:
    if not location.isascii() or not location.isprintable() or " " in location:
        yield Problem(f"{path}.location", "must be an address in ASCII, percent-encoded")
    if route.respond is not None and route.respond.status not in _REDIRECTS:
        yield Problem(f"{path}.status", "must be 300-399 with a location, such as 308")


def _rewrite_problems(path: str, route: Route) -> Iterator[Problem]:
    rewrite = route.rewrite
    if rewrite != Rewrite() and not route.targets:
        yield Problem(path, "changes what an upstream sees: there are no targets")
    if rewrite.prefix is not None and route.match.prefix is None:
        yield Problem(f"{path}.prefix", "stands for match.prefix, which is not set")
    if rewrite.prefix is not None and rewrite.path is not None:
        yield Problem(path, "at most one of prefix and path")
    if rewrite.host is not None and not authority.fullmatch(rewrite.host.encode()):
        yield Problem(f"{path}.host", "must be host or host:port")
    yield from _path_problem(f"{path}.prefix", rewrite.prefix)
    if rewrite.path is not None:
        yield from _template_problems(f"{path}.path", rewrite.path, route.match.regex)


def _template_problems(path: str, template: str, regex: str | None) -> Iterator[Problem]:
    if regex is None:
        yield from _path_problem(path, template)
        return
    if pattern_problem(regex):
        return
    yield from _path_problem(path, _GROUP.sub("x", template))
    pattern = re.compile(regex)
    for reference in _GROUP.findall(template):
        name = reference[1:].removeprefix("g<").removesuffix(">")
        known = int(name) <= pattern.groups if name.isdigit() else name in pattern.groupindex
        if not known:
            yield Problem(path, f"the pattern has no group {name!r}")


def _filter_problems(path: str, route: Route, settings: GatewaySettings) -> Iterator[Problem]:
    yield from network_problems(f"{path}.addresses.allow", route.addresses.allow)
    yield from network_problems(f"{path}.addresses.deny", route.addresses.deny)
    if route.authorise is not None:
        known = {*settings.jwt, KEYS} if settings.api_keys.keys else set(settings.jwt)
        for place, name in enumerate(route.authorise.by):
            if name not in known:
                yield Problem(
                    f"{path}.authorise.by[{place}]",
                    f"there is no [jwt.{name}], and api_keys needs keys",
                )
    if route.cors is not None:
        yield from _cors_problems(f"{path}.cors", route.cors)
    if route.rate_limit is not None:
        yield from _limit_problems(f"{path}.rate_limit", route.rate_limit, settings)
    yield from _rule_problems(f"{path}.request_headers", route.request_headers)
    yield from _rule_problems(f"{path}.response_headers", route.response_headers)


def _cors_problems(path: str, cors: Cors) -> Iterator[Problem]:
    if "*" in cors.origins and len(cors.origins) > 1:
        yield Problem(f"{path}.origins", "`*` stands alone")
    if "*" in cors.origins and cors.credentials:
        yield Problem(f"{path}.credentials", "cookies go to origins that are named, not to `*`")
    for place, origin in enumerate(cors.origins):
        parts = urlsplit(origin)
        if origin != "*" and (origin != f"{parts.scheme}://{parts.netloc}" or not parts.hostname):
            yield Problem(
                f"{path}.origins[{place}]", f"must look like https://app.example.com: {origin!r}"
            )
    for field in ("headers", "expose", "methods"):
        for place, name in enumerate(getattr(cors, field)):
            yield from name_problem(f"{path}.{field}[{place}]", name)


def _limit_problems(
    path: str, limit: RateLimitSettings, settings: GatewaySettings
) -> Iterator[Problem]:
    if (limit.key == "header") != bool(limit.header):
        yield Problem(f"{path}.header", 'goes with key = "header", and only with it')
    elif limit.header:
        yield from name_problem(f"{path}.header", limit.header)
    if limit.shared and settings.redis is None:
        yield Problem(f"{path}.shared", "needs [redis], where the counts are kept")


def _rule_problems(path: str, rules: HeaderRules) -> Iterator[Problem]:
    yield from field_problems(f"{path}.set", rules.set.items())
    yield from field_problems(f"{path}.remove", ((name, "") for name in rules.remove))
