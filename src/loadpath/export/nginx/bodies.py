"""What happens to a request whose route is known: the inside of a location."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from loadpath.balance.endpoint import Endpoint
from loadpath.export.nginx.cors import cors_lines, preflight_lines, preflight_variable
from loadpath.export.nginx.places import prefix_of
from loadpath.export.nginx.quoting import block, literal, quoted, seconds
from loadpath.export.nginx.types import types_of
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Rewrite, Route, Target
from loadpath.gateway.settings.upstreams import UpstreamSettings

# Statuses that nobody uses and that nginx lets us name: each stands for one way on.
CODES: Final = (*range(430, 444), *range(452, 494))
_GROUP = re.compile(r"\\(?:g<(?P<name>[^>]*)>|(?P<number>[0-9]+))")
_FORWARDED: Final = {
    "Host": "$http_host",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$loadpath_forwarded_for",
    "X-Forwarded-Proto": "$loadpath_forwarded_proto",
    "X-Forwarded-Host": "$loadpath_forwarded_host",
    "Forwarded": '""',
    "X-Request-Id": "$loadpath_request_id",
}


class Branch(NamedTuple):
    """Lead a request to a location.

    Attributes:
        place: The location.
        condition: When; empty for always.
    """

    place: str
    condition: str = ""


class Body:
    """Write the locations of one route.

    Args:
        number: Its place in the file.
        route: The route.
        settings: The settings it belongs to.
    """

    def __init__(self, number: int, route: Route, settings: GatewaySettings) -> None:
        self._number = number
        self._route = route
        self._settings = settings
        self.place = f"@{route.name}"

    def first(self) -> list[str]:
        """Return the inside of the location where the route begins."""
        branches = []
        if self._route.cors is not None:
            branches.append(Branch(f"{self.place}/preflight", preflight_variable(self._number)))
        targets = self._targets()
        if len(targets) == 1:
            return self._to(targets[0], self.place, branches)
        if targets:
            branches += [
                Branch(f"{self.place}/{at}", f"$loadpath_split_{self._number} = {at}")
                for at in range(len(targets))
            ]
            return dispatch(branches)
        return [*self._before(), *branch_lines(branches), *self._answer()]

    def others(self) -> list[list[str]]:
        """Return the further locations, each a block."""
        blocks = []
        if self._route.cors is not None:
            head = f"location {self.place}/preflight"
            blocks.append(block(head, preflight_lines(self._number, self._route)))
        targets = self._targets()
        for at, target in enumerate(targets):
            place = self.place
            if len(targets) > 1:
                place = f"{self.place}/{at}"
                blocks.append(block(f"location {place}", self._to(target, place, [])))
            if self._route.upgrade:
                lines = self._to_upstream(target, tunnel=True)
                blocks.append(block(f"location {place}/tunnel", lines))
        return blocks

    def _targets(self) -> list[Target]:
        return [each for each in self._route.targets if each.weight]

    def _to(self, target: Target, place: str, branches: list[Branch]) -> list[str]:
        if self._route.upgrade:
            branches = [*branches, Branch(f"{place}/tunnel", "$loadpath_tunnel")]
        return [*branch_lines(branches), *self._to_upstream(target, tunnel=False)]

    def _to_upstream(self, target: Target, *, tunnel: bool) -> list[str]:
        upstream = self._settings.upstreams[target.upstream]
        scheme = "http" if upstream.tls is None else "https"
        return [
            *self._before(),
            *self._mirror(),
            *_rewrite(self._route.match, self._route.rewrite),
            f"proxy_pass {quoted(f'{scheme}://{target.upstream}')};",
            "proxy_http_version 1.1;",
            *self._fields(tunnel=tunnel),
            *timeout_lines(upstream, self._settings.timeouts.tunnel if tunnel else None),
            *_retries(upstream),
            *tls_lines(upstream),
            *self._after(),
        ]

    def _before(self) -> list[str]:
        """Return what is asked of a request before it goes on."""
        route = self._route
        lines = [f"set $loadpath_route {quoted(route.name)};", *self._bounds()]
        lines += [f"deny {quoted(each)};" for each in route.addresses.deny]
        lines += [f"allow {quoted(each)};" for each in route.addresses.allow]
        if route.addresses.allow:
            lines.append("deny all;")
        limit = route.rate_limit
        if limit is not None:
            burst = f" burst={limit.burst - 1} nodelay" if limit.burst > 1 else ""
            lines += [f"limit_req zone=loadpath_{self._number}{burst};", "limit_req_status 429;"]
        return [*lines, *self._compression()]

    def _bounds(self) -> list[str]:
        largest = self._route.max_body
        return [] if largest is None else [f"client_max_body_size {largest};"]

    def _compression(self) -> list[str]:
        compress = self._route.compress
        if compress is None:
            return []
        types = " ".join(quoted(each) for each in types_of(compress) or ())
        return [
            "gzip on;",
            "gzip_proxied any;",
            "gzip_vary on;",
            f"gzip_min_length {compress.min_size};",
            *([f"gzip_types {types};"] if types else []),
        ]

    def _mirror(self) -> list[str]:
        return [] if self._route.mirror is None else [f"mirror {mirror_path(self._number)};"]

    def _fields(self, *, tunnel: bool) -> list[str]:
        fields = dict(_FORWARDED)
        fields["Connection"], fields["Upgrade"] = '""', '""'
        if tunnel:
            fields["Connection"], fields["Upgrade"] = '"upgrade"', "$http_upgrade"
        rewrite, rules = self._route.rewrite, self._route.request_headers
        if rewrite.host is not None:
            fields["Host"] = literal(rewrite.host)
        changes = {name: literal(value) for name, value in rules.set.items()}
        changes |= {name: '""' for name in rules.remove if name not in changes}
        lower = {name.lower() for name in changes}
        fields = {name: value for name, value in fields.items() if name.lower() not in lower}
        lines = (f"proxy_set_header {quoted(n)} {v};" for n, v in (fields | changes).items())
        return [line.replace('"', "", 2) if _is_plain(line) else line for line in lines]

    def _after(self) -> list[str]:
        """Return what becomes of the fields of an answer."""
        route, rules = self._route, self._route.response_headers
        hidden = dict.fromkeys((*rules.set, *rules.remove, "X-Request-Id"))
        lines = [f"proxy_hide_header {quoted(each)};" for each in hidden if route.targets]
        lines += [f"add_header {quoted(n)} {literal(v)} always;" for n, v in rules.set.items()]
        if "x-request-id" not in {each.lower() for each in (*rules.set, *rules.remove)}:
            lines.append("add_header X-Request-Id $loadpath_request_id always;")
        return [*lines, *cors_lines(self._number, route)]

    def _answer(self) -> list[str]:
        """Return what answers without an upstream."""
        static, respond = self._route.static, self._route.respond
        if respond is not None:
            words = f"return {respond.status} {literal(respond.location or respond.body)};"
            return ['default_type "text/plain";', *self._after(), words]
        assert static is not None
        lines = self._after()
        if static.cache_control:
            lines.append(f"add_header Cache-Control {literal(static.cache_control)};")
        root = static.root.rstrip("/") or "/"
        where = (
            f"alias {literal(f'{root}/')};"
            if prefix_of(self._route.match)
            else (f"root {literal(root)};")
        )
        return [*lines, where, f"index {literal(static.index)};"]


def dispatch(branches: Sequence[Branch]) -> list[str]:
    """Return the inside of a location that only leads on; the last branch takes what is left."""
    *some, last = branches
    return branch_lines([*some, Branch(last.place)])


def branch_lines(branches: Sequence[Branch]) -> list[str]:
    """Return what leads a request to other locations."""
    coded = list(zip(CODES, branches, strict=False))
    lines = [f"error_page {code} = {each.place};" for code, each in coded]
    for code, each in coded:
        line = f"return {code};"
        lines.append(f"if ({each.condition}) {{ {line} }}" if each.condition else line)
    return lines


def mirror_path(number: int) -> str:
    """Return the location that sends the copies of a route."""
    return f"/.loadpath/mirror/{number}"


def timeout_lines(upstream: UpstreamSettings, tunnel: float | None) -> list[str]:
    """Return the bounds of each wait for an upstream."""
    waits = upstream.timeouts
    return [
        f"proxy_connect_timeout {seconds(waits.connect)};",
        f"proxy_send_timeout {seconds(tunnel or waits.send)};",
        f"proxy_read_timeout {seconds(tunnel or waits.read)};",
    ]


def tls_lines(upstream: UpstreamSettings) -> list[str]:
    """Return how an upstream proves who it is."""
    tls = upstream.tls
    if tls is None:
        return []
    name = tls.server_name or Endpoint.parse(upstream.endpoints[0].address).host
    return [
        "proxy_ssl_verify on;",
        "proxy_ssl_verify_depth 4;",
        f"proxy_ssl_trusted_certificate {quoted(tls.ca)};",
        "proxy_ssl_server_name on;",
        f"proxy_ssl_name {literal(name)};",
    ]


def _retries(upstream: UpstreamSettings) -> list[str]:
    """Return what is repeated; nginx repeats no POST by itself."""
    if upstream.retries.tries == 1:
        return ["proxy_next_upstream off;"]
    return [
        "proxy_next_upstream error timeout http_502 http_503 http_504;",
        f"proxy_next_upstream_tries {upstream.retries.tries};",
    ]


def _rewrite(match: Match, rewrite: Rewrite) -> list[str]:
    if rewrite.prefix is not None:
        prefix = re.escape(prefix_of(match))
        there = rewrite.prefix.rstrip("/")
        rest = f'rewrite {quoted(f"^{prefix}(/.*)$")} {literal(there)[:-1]}$1" break;'
        if not prefix_of(match):
            return [rest]
        whole = f"rewrite {quoted(f'^{prefix}$')} {literal(rewrite.prefix)} break;"
        return [whole, rest]
    if rewrite.path is None:
        return []
    if match.regex is None:
        return [f"rewrite ^ {literal(rewrite.path)} break;"]
    pattern = quoted(f"^(?:{match.regex})\\z")
    return [f"rewrite {pattern} {_template(rewrite.path)} break;"]


def _template(path: str) -> str:
    """Return a path in which groups of the pattern stand as nginx's variables."""
    parts, at = [], 0
    for group in _GROUP.finditer(path):
        parts += [literal(path[at : group.start()])[1:-1], f"${group['name'] or group['number']}"]
        at = group.end()
    return '"' + "".join([*parts, literal(path[at:])[1:-1]]) + '"'


def _is_plain(line: str) -> bool:
    """Return whether the name of a field needs no quotes."""
    return re.match(r'proxy_set_header "[A-Za-z0-9-]+" ', line) is not None
