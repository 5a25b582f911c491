"""Locations as routes."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from loadpath.export.reading.fields import can_upgrade, read_host, request_rules, response_rules
from loadpath.export.reading.filters import read_addresses, read_compression, read_limit
from loadpath.export.reading.notes import Notes
from loadpath.export.reading.paths import read_match, read_rewrite
from loadpath.export.reading.scope import Scope
from loadpath.export.reading.services import Services
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import name, plain, size, whole
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.gateway.settings.routes import Match, Respond, Rewrite, Route, Static, Target

_QUERY = "$is_args$args"
_HARMLESS = frozenset(
    {
        "proxy_http_version",
        "proxy_redirect",
        "default_type",
        "limit_req_status",
        "proxy_buffering",
        "proxy_request_buffering",
    }
)


class Locations:
    """Read the locations of one server.

    Args:
        hosts: The server's names.
        services: Where upstreams are collected.
        zones: Rate limits by the name of their zone.
        notes: Where is noted what is not understood.
    """

    def __init__(
        self,
        hosts: tuple[str, ...],
        services: Services,
        zones: Mapping[str, RateLimitSettings],
        notes: Notes,
    ) -> None:
        self._hosts = hosts
        self._services = services
        self._zones = zones
        self._notes = notes

    def read(self, server: Directive, scope: Scope) -> Iterator[Route]:
        """Give a route for each location, and one for a server that answers by itself."""
        found = server.all("location")
        named = {each.args[0]: each for each in found if each.args[0].startswith("@")}
        for each in named.values():
            if each.args[0].endswith("/tunnel"):
                _take_all(each)
        paths = [each for each in found if each.args[0] not in named]
        folders = {each.args[-1] for each in paths if each.args[0] != "="}
        for each in paths:
            if _is_other_half(each, folders, paths):
                _take_all(each)
                continue
            route = self._route(each, named, scope, paths)
            if route is not None:
                yield route
        if server.first("return") is not None:
            match = Match(hosts=self._hosts, prefix="/")
            yield self._built(server, match, Scope(scope.blocks[1:]).inside(server))

    def _route(
        self,
        location: Directive,
        named: Mapping[str, Directive],
        scope: Scope,
        paths: list[Directive],
    ) -> Route | None:
        match = self._match(location, paths)
        if match is None:
            return None
        body = _led_to(location, named)
        if body is None:
            return None if _is_nobody(location) else self._built(location, match, scope)
        body.take()
        return self._built(body, match, scope)

    def _match(self, location: Directive, paths: list[Directive]) -> Match | None:
        path = location.args[-1]
        whole_path = ("=", path[:-1])
        if path[:1] == "/" and path[1:].endswith("/") and any(e.args == whole_path for e in paths):
            location.take()
            return Match(hosts=self._hosts, prefix=path[:-1])
        return read_match(location, self._hosts, self._notes)

    def _built(self, body: Directive, match: Match, around: Scope) -> Route:
        scope = around if around.here is body else around.inside(body)
        fields: dict[str, Any] = {"match": self._methods(body, match)}
        fields |= self._action(body, match, scope)
        largest = body.first("client_max_body_size") or (
            scope.blocks[1].first("client_max_body_size") if len(scope.blocks) > 2 else None  # noqa: PLR2004 - location, server, http
        )
        if largest is not None:
            fields["max_body"] = size(largest.take()[0]) or None
            if not fields["max_body"]:
                self._notes.add(largest, "differs", "there is always a bound: the gateway's")
        fields["rate_limit"] = read_limit(scope, self._zones, self._notes)
        fields["addresses"] = read_addresses(scope, self._notes)
        fields["compress"] = read_compression(scope)
        fields["response_headers"] = response_rules(scope, self._notes)
        for each in body.block or ():
            if each.name in _HARMLESS:
                each.take()
        return Route(name=_name_of(body) or _slug(match), **fields)

    def _methods(self, body: Directive, match: Match) -> Match:
        only = body.first("limit_except")
        if only is None:
            return match
        inside = only.block or []
        if [(each.name, each.args) for each in inside] != [("deny", ("all",))]:
            self._notes.add(only, "not understood", "only `deny all` in it is known")
            return match
        only.take()
        inside[0].take()
        methods = dict.fromkeys((*only.args, *(("HEAD",) if "GET" in only.args else ())))
        return Match(
            hosts=match.hosts,
            prefix=match.prefix,
            exact=match.exact,
            regex=match.regex,
            methods=tuple(methods),
        )

    def _action(self, body: Directive, match: Match, scope: Scope) -> dict[str, Any]:
        answer = body.first("return")
        if answer is not None:
            return {"respond": self._answer(answer)}
        passed = body.first("proxy_pass")
        if passed is not None:
            return self._passed(passed, body, match, scope)
        root, alias = scope.one("root"), body.first("alias")
        if root is None and alias is None:
            self._notes.add(body, "not understood", "it neither passes on nor serves nor returns")
            return {"respond": Respond(status=404)}
        return {"static": self._static(alias or root, match, scope)}

    def _passed(
        self, passed: Directive, body: Directive, match: Match, scope: Scope
    ) -> dict[str, Any]:
        upstream = self._services.of(passed, scope)
        if upstream is None:
            return {"respond": Respond(status=502, body="see the notes of the import")}
        rewrite = read_rewrite(match, passed, body, self._notes)
        host = read_host(scope, urlsplit(passed.args[0]).netloc)
        return {
            "targets": (Target(upstream=upstream),),
            "rewrite": Rewrite(prefix=rewrite.prefix, path=rewrite.path, host=host),
            "request_headers": request_rules(scope, self._notes),
            "upgrade": can_upgrade(scope),
        }

    def _answer(self, answer: Directive) -> Respond:
        words = answer.take()
        code = whole(words[0]) or (0 if words[0].isdecimal() else 302)
        text = words[-1] if len(words) > 1 or not words[0].isdecimal() else ""
        said = plain(text)
        if said is None or not 200 <= code <= 599:  # noqa: PLR2004 - the range of statuses
            self._notes.add(answer, "not understood", "its text holds a variable, or it closes")
            return Respond(status=404)
        if 300 <= code < 400 and said:  # noqa: PLR2004 - redirects
            return Respond(status=code, location=said)
        return Respond(status=code, body=said)

    def _static(self, at: Directive | None, match: Match, scope: Scope) -> Static:
        assert at is not None
        root = plain(at.take()[0])
        if root is None:
            self._notes.add(at, "not understood", "its folder holds a variable")
            root = "/nonexistent"
        if at.name == "root" and match.prefix is not None:
            root = root.rstrip("/") + match.prefix
        index = scope.one("index")
        names = index.take() if index is not None else ("index.html",)
        if index is not None and len(names) > 1:
            self._notes.add(index, "differs", f"one index is looked for: {names[0]}")
        return Static(root=root.rstrip("/") or "/", index=names[0], precompressed=False)


def _led_to(location: Directive, named: Mapping[str, Directive]) -> Directive | None:
    """Return the named location that a location leads to for every request."""
    leads = {each.args[0]: each for each in location.all("error_page") if each.args[1:2] == ("=",)}
    last = location.first("return")
    if last is None or not last.args or last.args[0] not in leads:
        return None
    chosen = leads[last.args[0]]
    last.take()
    for each in location.block or ():
        if each is chosen or each.name == "client_max_body_size":  # the route says it too
            each.take()
    return named.get(chosen.args[-1])


def _is_other_half(location: Directive, folders: set[str], paths: list[Directive]) -> bool:
    """Return whether `= /x` says for the path itself what `/x/` says for all below it."""
    if location.args[0] != "=" or f"{location.args[-1]}/" not in folders:
        return False
    path = location.args[-1]
    answer = location.first("return")
    if answer is not None and answer.args[-1] == f"{path}/{_QUERY}":
        return True
    below = next(e for e in paths if e.args[0] != "=" and e.args[-1] == f"{path}/")
    return _said(location) == _said(below)


def _said(block: Directive) -> list[Any]:
    return [(each.name, each.args, _said(each)) for each in block.block or ()]


def _is_nobody(location: Directive) -> bool:
    """Return whether a location says what the gateway says by itself: nothing is here."""
    lines = [(each.name, each.args) for each in location.block or ()]
    if lines != [("return", ("404",))]:
        return False
    _take_all(location)
    return True


def _take_all(directive: Directive) -> None:
    directive.take()
    for each in directive.block or ():
        _take_all(each)


def _name_of(body: Directive) -> str:
    for each in body.all("set"):
        if each.args[:1] == ("$loadpath_route",):
            return name(each.take()[1])[:80]
    return ""


def _slug(match: Match) -> str:
    path = match.exact or match.prefix or match.regex or ""
    host = match.hosts[0] if match.hosts else ""
    slug = "".join(each if each.isascii() and each.isalnum() else "-" for each in f"{host}{path}")
    return slug.strip("-")[:80] or "root"
