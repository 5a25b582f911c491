"""The settings of a gateway as one nginx file.

Guide: chapter 3, "Nginx 로드 밸런싱 설정".

Source: nginx's reference of directives; its `if` is used with `return` alone, the use that its own
documentation calls safe.
"""

from collections import Counter
from typing import Final

from loadpath.export.fates import demand_expressible
from loadpath.export.hosts import ANY_HOST, server_names
from loadpath.export.nginx.bodies import (
    Body,
    Branch,
    branch_lines,
    mirror_path,
    timeout_lines,
    tls_lines,
)
from loadpath.export.nginx.cors import cors_maps
from loadpath.export.nginx.places import Candidate, Place, places
from loadpath.export.nginx.quoting import block, literal, quoted, seconds
from loadpath.export.nginx.rates import rate_of
from loadpath.export.nginx.refusing import refused_by_nginx
from loadpath.export.nginx.splits import percent, shares_of
from loadpath.export.nginx.upstreams import upstream_block
from loadpath.export.nginx.variables import dollar, header_variable, switch
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Certificate
from loadpath.gateway.settings.routes import Route

_TYPES: Final = {
    "application/javascript": "js mjs",
    "application/json": "json map",
    "application/manifest+json": "webmanifest",
    "application/pdf": "pdf",
    "application/wasm": "wasm",
    "application/xml": "xml",
    "application/zip": "zip",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpeg jpg",
    "image/png": "png",
    "image/svg+xml": "svg svgz",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "htm html",
    "text/markdown": "md",
    "text/plain": "txt",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
_LOG: Final = {
    "time": "$time_iso8601",
    "route": "$loadpath_route",
    "request_id": "$loadpath_request_id",
    "client": "$remote_addr",
    "method": "$request_method",
    "host": "$host",
    "path": "$uri",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "seconds": "$request_time",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "upstream_seconds": "$upstream_response_time",
}


def to_nginx(settings: GatewaySettings) -> str:
    """Return an nginx file that does what settings say.

    Raises:
        NotExpressibleError: It cannot do all of it; names every such setting.
    """
    demand_expressible("nginx", refused_by_nginx(settings))
    http = _http(settings)
    text = "\n".join(http)
    lines = [
        f"worker_processes {settings.workers};",
        f"worker_shutdown_timeout {seconds(settings.timeouts.drain)};",
        *block("events", [f"worker_connections {2 * settings.limits.connections};"]),
        *block("http", [*dollar(text), *http]),
    ]
    return "\n".join(lines) + "\n"


def _http(settings: GatewaySettings) -> list[str]:
    lines = [*_client(settings), *_log(settings), *_forwarding(settings)]
    if any(route.static is not None for route in settings.routes):
        types = [f"{kind} {endings};" for kind, endings in _TYPES.items()]
        lines += [*block("types", types), "default_type application/octet-stream;"]
    for name, upstream in settings.upstreams.items():
        lines += ["", *upstream_block(name, upstream)]
    for number, route in enumerate(settings.routes):
        lines += _variables(number, route)
    for name in server_names(settings):
        lines += ["", *_server(settings, name)]
    return lines


def _client(settings: GatewaySettings) -> list[str]:
    limits, timeouts = settings.limits, settings.timeouts
    buffers = -(-limits.head // limits.request_line)
    return [
        "server_tokens off;",
        "variables_hash_max_size 8192;",
        "variables_hash_bucket_size 256;",
        "map_hash_bucket_size 512;",
        "server_names_hash_bucket_size 512;",
        "underscores_in_headers on;",
        "recursive_error_pages on;",
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        f"large_client_header_buffers {max(buffers, 1)} {limits.request_line};",
        f"client_max_body_size {limits.body};",
        f"client_header_timeout {seconds(timeouts.head)};",
        f"client_body_timeout {seconds(timeouts.body)};",
        f"keepalive_timeout {seconds(timeouts.idle)};",
        f"send_timeout {seconds(timeouts.write)};",
    ]


def _log(settings: GatewaySettings) -> list[str]:
    if not settings.log.access:
        return ["access_log off;"]
    members = ",".join(f'"{name}":"{value}"' for name, value in _LOG.items())
    where = "/dev/stdout" if settings.log.access == "-" else settings.log.access
    return [
        f"log_format loadpath escape=json '{{{members}}}';",
        f"access_log {literal(where)} loadpath;",
    ]


def _forwarding(settings: GatewaySettings) -> list[str]:
    """Return who asks, what it calls itself, and whose word is taken for it."""
    trusted = settings.trusted_proxies
    lines = [f"set_real_ip_from {quoted(each)};" for each in trusted]
    if trusted:
        lines += ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    cases = ["default 0;", *(f"{quoted(each)} 1;" for each in trusted)]
    neighbour = "$realip_remote_addr" if trusted else "$remote_addr"
    lines += block(f"geo {neighbour} $loadpath_trusted", cases)
    told = {
        "for": ("~^1.", f'"$http_x_forwarded_for, {neighbour}"', neighbour),
        "proto": ("~^1https?$", "$http_x_forwarded_proto", "$scheme"),
        "host": ("~^1.", "$http_x_forwarded_host", "$http_host"),
    }
    for name, (pattern, believed, ours) in told.items():
        source = quoted(f"${{loadpath_trusted}}$http_x_forwarded_{name}")
        target = f"$loadpath_forwarded_{name}"
        lines += switch(source, target, {quoted(pattern): believed}, ours)
    sane = quoted("~^[A-Za-z0-9_.:+/=@-]{1,128}$")
    ids = {sane: "$http_x_request_id"}
    lines += switch("$http_x_request_id", "$loadpath_request_id", ids, "$request_id")
    others = {quoted(""): "0", quoted("~*^h2c"): "0"}
    return [*lines, *switch("$http_upgrade", "$loadpath_tunnel", others, "1")]


def _variables(number: int, route: Route) -> list[str]:
    lines = Candidate(number, route).conditions.lines()
    lines += cors_maps(number, route)
    targets = [each for each in route.targets if each.weight]
    if len(targets) > 1:
        shares = [share or 0 for share in shares_of(targets)]
        cases = [f"{percent(share)} {at};" for at, share in enumerate(shares[:-1])]
        cases.append(f"* {len(shares) - 1};")
        lines += block(f'split_clients "$request_id" $loadpath_split_{number}', cases)
    if route.mirror is not None and route.mirror.share < 1:
        cases = [f"{percent(round(route.mirror.share * 10_000))} 1;", "* 0;"]
        if round(route.mirror.share * 10_000) == 0:
            cases = ["* 0;"]
        lines += block(f'split_clients "mirror$request_id" $loadpath_mirror_{number}', cases)
    if route.rate_limit is not None:
        lines += _limit(number, route.rate_limit)
    return lines


def _limit(number: int, limit: RateLimitSettings) -> list[str]:
    keys = {"client": "$binary_remote_addr", "route": quoted("all")}
    key = header_variable(limit.header) if limit.key == "header" else keys[limit.key]
    return [f"limit_req_zone {key} zone=loadpath_{number}:10m rate={rate_of(limit)};"]


def _server(settings: GatewaySettings, name: str) -> list[str]:
    lines = _listens(settings, name)
    lines += [f"server_name {quoted(name or '_')};", 'set $loadpath_route "";']
    found = places(settings, name)
    counts: Counter[int] = Counter(each.chain[-1].number for each in found)
    inside = {each.chain[0].number for each in found if _stands_inside(each, counts)}
    for place in found:
        lines += _location(settings, place, alone=_stands_inside(place, counts))
    lines += _missing(found)
    named = {each.number: each for place in found for each in place.chain}
    for each in named.values():
        lines += _named(settings, each, begins=each.number not in inside)
    return block("server", lines)


def _stands_inside(place: Place, counts: Counter[int]) -> bool:
    """Return whether a route begins in the one location that leads to it."""
    only = len(place.chain) == 1 and not place.chain[0].conditions.any
    is_folder = only and place.chain[0].route.static is not None and not place.exact
    return only and (counts[place.chain[0].number] == 1 or is_folder)


def _missing(found: list[Place]) -> list[str]:
    if any(place.path == "/" and not place.exact for place in found):
        return []
    return block("location /", ["return 404;"])


def _location(settings: GatewaySettings, place: Place, *, alone: bool) -> list[str]:
    sign = "=" if place.exact else "^~"
    head = f"location {sign} {quoted(place.path)}"
    if alone:
        number, route = place.chain[0]
        return block(head, Body(number, route, settings).first())
    last = place.chain[-1]
    if len(place.chain) == 1 and last.route.static is not None and place.path.strip("/"):
        return block(head, [f'return 308 {literal(f"{place.path}/")[:-1]}$is_args$args";'])
    branches = [
        Branch(f"@{each.route.name}", each.conditions.variable if each.conditions.any else "")
        for each in place.chain
    ]
    lines = [*_largest_body(place), *branch_lines(branches)]
    if branches[-1].condition:
        lines.append(f"return {_status_of_nobody(place)};")
    return block(head, lines)


def _status_of_nobody(place: Place) -> int:
    """Return 405 where every route would take another method, 404 otherwise."""
    matches = [each.route.match for each in place.chain]
    return 405 if all(not each.headers and each.regex is None for each in matches) else 404


def _largest_body(place: Place) -> list[str]:
    """Return the bound of the location: nginx looks at it before it goes on."""
    largest = place.chain[0].route.max_body
    return [] if largest is None else [f"client_max_body_size {largest};"]


def _named(settings: GatewaySettings, each: Candidate, *, begins: bool) -> list[str]:
    body = Body(each.number, each.route, settings)
    blocks = [block(f"location {body.place}", body.first())] if begins else []
    blocks += body.others()
    if each.route.mirror is not None:
        blocks.append(_mirror(settings, each))
    return [line for lines in blocks for line in lines]


def _mirror(settings: GatewaySettings, each: Candidate) -> list[str]:
    mirror = each.route.mirror
    assert mirror is not None
    upstream = settings.upstreams[mirror.upstream]
    scheme = "http" if upstream.tls is None else "https"
    lines = ["internal;"]
    if mirror.share < 1:
        lines.append(f"if ($loadpath_mirror_{each.number} = 0) {{ return 204; }}")
    lines += [
        f'proxy_pass "{scheme}://{mirror.upstream}$request_uri";',
        "proxy_http_version 1.1;",
        "proxy_set_header Host $http_host;",
        'proxy_set_header Connection "";',
        "proxy_set_header X-Request-Id $loadpath_request_id;",
        *timeout_lines(upstream, None),
        *tls_lines(upstream),
    ]
    return block(f"location = {mirror_path(each.number)}", lines)


def _listens(settings: GatewaySettings, name: str) -> list[str]:
    lines = []
    for listener in settings.listeners:
        host = f"[{listener.host}]" if ":" in listener.host else listener.host
        words = ["listen", quoted(f"{host}:{listener.port}")]
        words += ["ssl"] if listener.tls else []
        words += ["default_server"] if name == ANY_HOST else []
        lines.append(" ".join(words) + ";")
    for listener in settings.listeners:
        if listener.tls:
            chosen = _certificate(listener.tls, name)
            lines.append(f"ssl_certificate {literal(chosen.certificate)};")
            return [*lines, f"ssl_certificate_key {literal(chosen.key)};"]
    return lines


def _certificate(chain: tuple[Certificate, ...], name: str) -> Certificate:
    """Return the certificate for a host: its own, that of a wildcard, or the first."""
    wildcard = "*." + name.partition(".")[2]
    for wanted in (name, wildcard):
        for each in chain:
            if wanted in each.names:
                return each
    return chain[0]
