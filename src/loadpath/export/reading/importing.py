"""An nginx file as the settings of a gateway: the useful subset, and a note for all the rest.

Guide: chapter 3, "Nginx 로드 밸런싱 설정"; its file is read with its mistakes named.

Source: nginx's reference of directives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from loadpath.export.reading.filters import read_zones
from loadpath.export.reading.locations import Locations
from loadpath.export.reading.notes import Note, Notes
from loadpath.export.reading.scope import Scope
from loadpath.export.reading.servers import merged, read_hosts, read_listeners
from loadpath.export.reading.services import Services
from loadpath.export.reading.tree import Directive, parse
from loadpath.export.reading.upstreams import read_upstream
from loadpath.export.reading.values import name, network, plain, size, whole
from loadpath.export.reading.waits import read_wait
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import ClientLimits, ClientTimeouts, Listener, Log
from loadpath.gateway.settings.routes import Route

_TIMEOUTS: Final = {
    "client_header_timeout": "head",
    "client_body_timeout": "body",
    "keepalive_timeout": "idle",
    "send_timeout": "write",
}
_HARMLESS: Final = frozenset(
    {
        "default_type",
        "error_log",
        "map_hash_bucket_size",
        "pid",
        "proxy_buffering",
        "proxy_http_version",
        "proxy_request_buffering",
        "recursive_error_pages",
        "sendfile",
        "server_names_hash_bucket_size",
        "server_tokens",
        "tcp_nodelay",
        "tcp_nopush",
        "types",
        "underscores_in_headers",
        "user",
        "variables_hash_bucket_size",
        "variables_hash_max_size",
    }
)
"""What the gateway has no need of."""

_WORDS: Final = {
    **dict.fromkeys(_TIMEOUTS, 1),
    "access_log": 1,
    "add_header": 2,
    "alias": 1,
    "allow": 1,
    "client_max_body_size": 1,
    "deny": 1,
    "index": 1,
    "keepalive": 1,
    "large_client_header_buffers": 2,
    "limit_except": 1,
    "listen": 1,
    "location": 1,
    "proxy_connect_timeout": 1,
    "proxy_hide_header": 1,
    "proxy_pass": 1,
    "proxy_read_timeout": 1,
    "proxy_send_timeout": 1,
    "proxy_set_header": 2,
    "return": 1,
    "rewrite": 2,
    "root": 1,
    "server_name": 1,
    "set": 2,
    "set_real_ip_from": 1,
    "ssl_certificate": 1,
    "ssl_certificate_key": 1,
    "upstream": 1,
    "worker_connections": 1,
    "worker_processes": 1,
    "worker_shutdown_timeout": 1,
}
"""How many words a directive must have to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Hold what was read.

    Attributes:
        settings: The settings.
        notes: What was not understood, is a mistake, or differs; in the order of the lines.
    """

    settings: GatewaySettings
    notes: tuple[Note, ...]


def from_nginx(text: str, *, file: str = "nginx.conf") -> Imported:
    """Return an nginx file as the settings of a gateway.

    Args:
        text: What stands in the file; also a part of one, with `server` and `upstream` alone.
        file: What it is called in notes.

    Raises:
        NginxSyntaxError: nginx itself would not read it.
    """
    root = parse(text, file)
    notes = Notes(file)
    _drop_short(root, notes)
    http = root.first("http") or root
    http.take()
    fields = _process(root) | _told(http, notes)
    fields["limits"] = _limits(http, _connections(root))
    fields["timeouts"] = _timeouts(root, http, notes)
    fields |= _served(http, notes)
    notes.left(root)
    found = sorted(dict.fromkeys(notes.found), key=lambda each: each.line)
    return Imported(settings=GatewaySettings(**fields), notes=tuple(found))


def _drop_short(block: Directive, notes: Notes) -> None:
    """Leave out directives that lack their words, so that nobody has to look for each."""
    for each in list(block.block or ()):
        if len(each.args) < _WORDS.get(each.name, 0):
            notes.add(each, "not understood", "words are missing")
            assert block.block is not None
            block.block.remove(each)
        else:
            _drop_short(each, notes)


def _process(root: Directive) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    workers = root.first("worker_processes")
    count = whole(workers.take()[0]) if workers is not None else None
    if count is not None:  # auto: one for each core is the caller's to say
        fields["workers"] = min(max(count, 1), 64)
    return fields


def _connections(root: Directive) -> dict[str, int]:
    """Return how many clients a worker has: nginx counts connections to upstreams too."""
    events = root.first("events")
    if events is None:
        return {}
    events.take()
    found = events.first("worker_connections")
    count = whole(found.args[0]) if found is not None else None
    if found is None or count is None:
        return {}
    found.take()
    return {"connections": max(count // 2, 1)}


def _limits(http: Directive, limits: dict[str, int]) -> ClientLimits:
    largest = size(Scope((http,)).word("client_max_body_size") or "1m")
    limits["body"] = largest or ClientLimits().body
    buffers = http.first("large_client_header_buffers")
    count = whole(buffers.args[0]) if buffers is not None else None
    if buffers is not None and count:
        limits["request_line"] = size(buffers.take()[1]) or ClientLimits().request_line
        limits["head"] = count * limits["request_line"]
    return ClientLimits(**limits)


def _timeouts(root: Directive, http: Directive, notes: Notes) -> ClientTimeouts:
    waits: dict[str, float] = {}
    found = {field: http.first(directive) for directive, field in _TIMEOUTS.items()}
    found["drain"] = root.first("worker_shutdown_timeout")
    found["tunnel"] = _tunnel(http)
    for field, directive in found.items():
        wait = read_wait(directive, directive.take()[0], notes) if directive is not None else None
        if wait:
            waits[field] = wait
    return ClientTimeouts(**waits)


def _tunnel(http: Directive) -> Directive | None:
    """Return how long a tunnel that we wrote may be silent."""
    for server in http.all("server"):
        for each in server.all("location"):
            if each.args[-1].endswith("/tunnel"):
                return each.first("proxy_read_timeout")
    return None


def _told(http: Directive, notes: Notes) -> dict[str, Any]:
    """Return what stands for the whole of `http`: whom to believe, and the access log."""
    fields: dict[str, Any] = {}
    trusted = _trusted(http, notes)
    if trusted:
        fields["trusted_proxies"] = trusted
        for each in ("real_ip_header", "real_ip_recursive"):
            Scope((http,)).word(each)
    log = http.first("access_log")
    if log is not None:
        where = plain(log.take()[0]) or "-"
        fields["log"] = Log(access={"off": "", "/dev/stdout": "-"}.get(where, where))
    for line in http.all("log_format"):
        line.take()
    for line in http.block or ():
        ours = any(word.startswith("$loadpath_") for word in line.args)
        if line.name in _HARMLESS or (line.name in ("geo", "map") and ours):
            _take_all(line)
    return fields


def _trusted(http: Directive, notes: Notes) -> tuple[str, ...]:
    found: list[str] = []
    for each in http.all("set_real_ip_from"):
        place = network(each.take()[0])
        if place is None:
            notes.add(each, "not understood", "it is no IP address or network")
        else:
            found.append(place)
    return tuple(dict.fromkeys(found))


def _served(http: Directive, notes: Notes) -> dict[str, Any]:
    zones = read_zones(http, notes)
    services = Services(_upstreams(http, notes), notes)
    routes: list[Route] = []
    listeners: list[Listener] = []
    servers = http.all("server")
    for server in servers:
        server.take()
        hosts = read_hosts(server, notes)
        listeners += read_listeners(server, hosts, notes)
        for each in server.block or ():
            if each.name in _HARMLESS or each.args[:1] == ("$loadpath_route",):
                _take_all(each)
        _is_default(server, hosts, servers, notes)
        scope = Scope((server, http))
        routes += Locations(hosts, services, zones, notes).read(server, scope)
    fields: dict[str, Any] = {"upstreams": services.settings(), "routes": _named(routes)}
    if listeners:
        fields["listeners"] = merged(listeners)
    return fields


def _upstreams(http: Directive, notes: Notes) -> dict[str, dict[str, Any]]:
    blocks: dict[str, dict[str, Any]] = {}
    for each in http.all("upstream"):
        called = name(each.args[0])
        if called in blocks:
            notes.add(each, "not understood", f"there is an upstream {called} already")
            continue
        blocks[called] = read_upstream(each, notes)
        if called != each.args[0]:
            notes.add(each, "differs", f"it is called {called} here")
    return blocks


def _is_default(
    server: Directive, hosts: tuple[str, ...], servers: Sequence[Directive], notes: Notes
) -> None:
    """Note that nginx's first server also takes requests for hosts that no server names."""
    if hosts and server is servers[0]:
        named = server.first("server_name")
        assert named is not None
        notes.add(named, "differs", "nginx serves other hosts here too; the gateway says 404")


def _named(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return routes whose names are unique."""
    taken: dict[str, int] = {}
    named = []
    for each in routes:
        count = taken[each.name] = taken.get(each.name, 0) + 1
        fields = {field: getattr(each, field) for field in each.__struct_fields__}
        named.append(
            Route(**fields | {"name": each.name if count == 1 else f"{each.name}.{count}"})
        )
    return tuple(named)


def _take_all(directive: Directive) -> None:
    directive.take()
    for each in directive.block or ():
        _take_all(each)
