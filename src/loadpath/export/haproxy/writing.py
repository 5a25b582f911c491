"""The settings of a gateway as one HAProxy file, for HAProxy 2.6 and later.

The frontend first finds the route, by the gateway's order, and puts its name into a variable;
every later rule asks for that name.

Source: HAProxy's configuration manual.
"""

import re
from typing import Final

from loadpath.export.fates import demand_expressible
from loadpath.export.haproxy.backends import backend
from loadpath.export.haproxy.certificates import certificate_words, key_rule, store
from loadpath.export.haproxy.quoting import formatted, milliseconds, quoted, replacement
from loadpath.export.haproxy.refusing import refused_by_haproxy
from loadpath.export.order import Entry, in_order
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Listener
from loadpath.gateway.settings.routes import Match, Route, Target

_ROOM: Final = 1_024
"""Bytes beside the head that HAProxy keeps for what it adds (`tune.maxrewrite`)."""
_DOTS: Final = r"(?i)(^|/|;|%2f|%5c)\.{1,2}(/|;|%2f|%5c|$)"
"""Dots that climb above the root, or that a server behind would see and HAProxy does not."""
_GROUP = re.compile(r"\\([0-9]+)")


def to_haproxy(settings: GatewaySettings) -> str:
    """Return an HAProxy file that does what settings say.

    Raises:
        NotExpressibleError: It cannot do all of it; names every such setting.
    """
    demand_expressible("haproxy", refused_by_haproxy(settings))
    sections = [
        _global(settings),
        _defaults(settings),
        *filter(None, [store(settings)]),
        _frontend(settings),
        *(backend(name, each) for name, each in settings.upstreams.items()),
        *_tables(settings),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _section(head: str, lines: list[str]) -> list[str]:
    return [head, *(f"    {line}" for line in lines)]


def _global(settings: GatewaySettings) -> list[str]:
    limits = settings.limits
    lines = [
        f"nbthread {settings.workers}",
        f"maxconn {limits.connections * settings.workers}",
        f"hard-stop-after {milliseconds(settings.timeouts.drain)}",
        f"tune.bufsize {limits.head + _ROOM}",
        f"tune.http.maxhdr {limits.fields}",
        "expose-experimental-directives",  # normalize-uri
        *key_rule(settings),
    ]
    if settings.log.access:
        lines.append("log stdout format raw local0")
    return _section("global", lines)


def _defaults(settings: GatewaySettings) -> list[str]:
    timeouts = settings.timeouts
    lines = [
        "mode http",
        f"timeout http-request {milliseconds(timeouts.head)}",
        f"timeout client {milliseconds(timeouts.body)}",
        f"timeout http-keep-alive {milliseconds(timeouts.idle)}",
        f"timeout tunnel {milliseconds(timeouts.tunnel)}",
        "timeout connect 5000ms",
        "timeout server 10000ms",
    ]
    if settings.log.access:
        lines += ["log global", "option httplog"]
    return _section("defaults", lines)


def _frontend(settings: GatewaySettings) -> list[str]:
    lines = [_bind(settings, each) for each in settings.listeners]
    lines += [
        *_one_form_of_paths(),
        "http-request set-var(txn.path) path",
        "http-request set-var(txn.host) req.hdr(host),host_only,lower",
        "http-request set-var(txn.allow) str()",
    ]
    for place, entry in enumerate(in_order(settings.routes)):
        lines += _found(place, entry)
    lines += _told()
    nobody = "!{ var(txn.route) -m found }"
    allow = "hdr Allow %[var(txn.allow)]"
    lines.append(
        f"http-request return status 405 {allow} if {nobody} !{{ var(txn.allow) -m len 0 }}"
    )
    lines.append(f"http-request return status 404 if {nobody}")
    for number, route in enumerate(settings.routes):
        lines.append(f"acl r{number} var(txn.route) -m str -- {route.name}")
        lines += _rules(number, route, settings)
    for number, route in enumerate(settings.routes):
        lines += _targets(number, route)
    return _section("frontend loadpath", lines)


def _bind(settings: GatewaySettings, listener: Listener) -> str:
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    words = [f"bind {quoted(f'{host}:{listener.port}')}"]
    words += ["ssl"] if listener.tls else []
    return " ".join([*words, *certificate_words(settings, listener)])


def _one_form_of_paths() -> list[str]:
    """Return rules that leave one form of each path, so that no other one gets around a route."""
    return [
        "http-request normalize-uri percent-decode-unreserved strict",
        "http-request normalize-uri path-merge-slashes",
        "http-request normalize-uri path-strip-dot",
        "http-request normalize-uri path-strip-dotdot",
        f"http-request deny deny_status 400 if {{ path -m reg -- '{_DOTS}' }}",
    ]


def _found(place: int, entry: Entry) -> list[str]:
    """Return the rule that finds a route, and the conditions that it names."""
    tests = _tests(entry.host, entry.route.match)
    names = [f"m{place}_{at}" for at in range(len(tests))]
    lines = [f"acl {name} {test}" for name, test in zip(names, tests, strict=True)]
    condition = " ".join(["!{ var(txn.route) -m found }", *names])
    lines.append(f"http-request set-var(txn.route) str({entry.route.name}) if {condition}")
    if entry.route.match.methods:
        more = quoted(f'var(txn.allow),add_item(", ",,"{", ".join(entry.route.match.methods)}")')
        others = " ".join(["!{ var(txn.route) -m found }", *names[1:]])
        lines.append(f"http-request set-var(txn.allow) {more} if {others}")
    return lines


def _tests(host: str, match: Match) -> list[str]:
    """Return the conditions of a route, that of its methods first."""
    tests = []
    if match.methods:
        tests.append("method " + " ".join(quoted(each) for each in match.methods))
    if host.startswith("*."):
        tests.append(f"var(txn.host) -m end -- {quoted(host[1:])}")
    elif host:
        tests.append(f"var(txn.host) -m str -- {quoted(host)}")
    if match.exact is not None:
        tests.append(f"var(txn.path) -m str -- {quoted(match.exact)}")
    elif match.regex is not None:
        tests.append(f"var(txn.path) -m reg -- {quoted(f'^(?:{match.regex})$')}")
    elif (match.prefix or "").rstrip("/"):
        prefix = re.escape((match.prefix or "").rstrip("/"))
        tests.append(f"var(txn.path) -m reg -- {quoted(f'^{prefix}(/|$)')}")
    for name, value in match.headers.items():
        fetch = f"req.fhdr({name})"
        tests.append(f"{fetch} -m found" if value == "*" else f"{fetch} -m str -- {quoted(value)}")
    return tests


def _told() -> list[str]:
    """Return the fields that every upstream sees."""
    return [
        "acl sane_id req.hdr(x-request-id) -m reg -- '^[A-Za-z0-9_.:+/=@-]{1,128}$'",
        "http-request set-header X-Request-Id %[uuid()] if !sane_id",
        "http-request set-var(txn.id) req.hdr(x-request-id)",
        "http-request set-header X-Real-IP %[src]",
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-var(txn.proto) str(http)",
        "http-request set-var(txn.proto) str(https) if { ssl_fc }",
        "http-request set-header X-Forwarded-Proto %[var(txn.proto)]",
        "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        *_forwarded(),
        "http-after-response set-header X-Request-Id %[var(txn.id)]",
    ]


def _forwarded() -> list[str]:
    """Return the rules of `Forwarded`, in which a colon needs quotes."""
    words, host = "%[var(txn.for)];proto=%[var(txn.proto)]", "%[req.hdr(host)]"
    said, colon, sixth = (
        "{ req.hdr(host) -m found }",
        "{ req.hdr(host) -m sub : }",
        "{ src -m sub : }",
    )
    field = "http-request set-header Forwarded"
    return [
        f"http-request set-var-fmt(txn.for) 'for=%[src]' if !{sixth}",
        f"http-request set-var-fmt(txn.for) 'for=\"[%[src]]\"' if {sixth}",
        f"{field} '{words}' if !{said}",
        f"{field} '{words};host={host}' if {said} !{colon}",
        f"{field} '{words};host=\"{host}\"' if {colon}",
    ]


def _rules(number: int, route: Route, settings: GatewaySettings) -> list[str]:
    when = f"if r{number}"
    lines = _addresses(number, route)
    if route.rate_limit is not None:
        lines += _limit(number, route.rate_limit)
    largest = route.max_body or settings.limits.body
    lines.append(f"http-request deny deny_status 413 {when} {{ req.body_size gt {largest} }}")
    for name, value in route.response_headers.set.items():
        lines.append(f"http-after-response set-header {quoted(name)} {formatted(value)} {when}")
    for name in route.response_headers.remove:
        lines.append(f"http-after-response del-header {quoted(name)} {when}")
    lines += _answer(route, when)
    total = sum(each.weight for each in route.targets)
    if len(_drawn(route)) > 1:
        lines.append(f"http-request set-var(txn.dice) rand({total}) {when}")
    lines += _rewrite(number, route)
    for name, value in route.request_headers.set.items():
        lines.append(f"http-request set-header {quoted(name)} {formatted(value)} {when}")
    for name in route.request_headers.remove:
        lines.append(f"http-request del-header {quoted(name)} {when}")
    if not route.upgrade:
        lines.append(f"http-request del-header Upgrade {when}")
    return lines


def _addresses(number: int, route: Route) -> list[str]:
    refused, taken = f"r{number}_denied", f"r{number}_allowed"
    lines = [f"acl {refused} src -- {quoted(each)}" for each in route.addresses.deny]
    if lines:
        lines.append(f"http-request deny deny_status 403 if r{number} {refused}")
    if route.addresses.allow:
        lines += [f"acl {taken} src -- {quoted(each)}" for each in route.addresses.allow]
        lines.append(f"http-request deny deny_status 403 if r{number} !{taken}")
    return lines


def _limit(number: int, limit: RateLimitSettings) -> list[str]:
    keys = {"client": "src", "route": "int(1)", "header": f"req.hdr({limit.header})"}
    table = f"limit:{number}"
    return [
        f"http-request track-sc0 {keys[limit.key]} table {table} if r{number}",
        f"acl r{number}_often sc_http_req_rate(0,{table}) gt {limit.limit}",
        f"http-request deny deny_status 429 if r{number} r{number}_often",
    ]


def _tables(settings: GatewaySettings) -> list[list[str]]:
    types = {"client": "ipv6", "route": "integer", "header": "string len 256"}
    sections = []
    for number, route in enumerate(settings.routes):
        limit = route.rate_limit
        if limit is not None:
            period = milliseconds(limit.period)
            table = (
                f"stick-table type {types[limit.key]} size 100k expire {period}"
                f" store http_req_rate({period})"
            )
            sections.append(_section(f"backend limit:{number}", [table]))
    return sections


def _answer(route: Route, when: str) -> list[str]:
    respond = route.respond
    if respond is None:
        return []
    if respond.location:
        where = formatted(respond.location)
        return [f"http-request redirect location {where} code {respond.status} {when}"]
    words = f"http-request return status {respond.status}"
    if respond.body:
        words += f" content-type text/plain string {quoted(respond.body)}"
    return [f"{words} {when}"]


def _rewrite(number: int, route: Route) -> list[str]:
    match, rewrite, lines = route.match, route.rewrite, []
    when = f"if r{number}"
    if rewrite.prefix is not None:
        prefix = (match.prefix or "").rstrip("/")
        there = quoted(replacement(rewrite.prefix.rstrip("/")) + r"\1")
        pattern = quoted(f"^{re.escape(prefix)}(/.*)$")
        lines.append(f"acl r{number}_self var(txn.path) -m str -- {quoted(prefix)}")
        whole = f"http-request set-path {formatted(rewrite.prefix)} {when} r{number}_self"
        rest = f"http-request replace-path {pattern} {there} {when}"
        lines += [whole, f"{rest} !r{number}_self"]
    elif rewrite.path is not None and match.regex is not None:
        pattern = quoted(f"^(?:{match.regex})$")
        lines.append(f"http-request replace-path {pattern} {_template(rewrite.path)} {when}")
    elif rewrite.path is not None:
        lines.append(f"http-request set-path {formatted(rewrite.path)} {when}")
    if rewrite.host is not None:
        lines.append(f"http-request set-header Host {formatted(rewrite.host)} {when}")
    return lines


def _template(path: str) -> str:
    parts, at = [], 0
    for group in _GROUP.finditer(path):
        parts += [replacement(path[at : group.start()]), group[0]]
        at = group.end()
    return quoted("".join([*parts, replacement(path[at:])]))


def _targets(number: int, route: Route) -> list[str]:
    """Return where requests go; several targets are drawn by weight."""
    targets = _drawn(route)
    if len(targets) <= 1:
        return [f"use_backend {each.upstream} if r{number}" for each in targets]
    before, lines = 0, []
    for at, each in enumerate(targets):
        before += each.weight
        lines.append(f"acl r{number}_t{at} var(txn.dice) -m int lt {before}")
        lines.append(f"use_backend {each.upstream} if r{number} r{number}_t{at}")
    return lines


def _drawn(route: Route) -> list[Target]:
    return [each for each in route.targets if each.weight]
