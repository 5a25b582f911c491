"""CORS by maps: what depends on the origin is a variable that is empty for others.

nginx leaves out a field whose value is empty.
"""

from typing import Final

from loadpath.export.nginx.quoting import literal, quoted
from loadpath.export.nginx.variables import exactly, switch
from loadpath.gateway.settings.routes import Route

_CREDENTIALS: Final = "Access-Control-Allow-Credentials"
_EXPOSE: Final = "Access-Control-Expose-Headers"
_METHODS: Final = "Access-Control-Allow-Methods"
_HEADERS: Final = "Access-Control-Allow-Headers"
_AGE: Final = "Access-Control-Max-Age"
_ANSWERED: Final = (_CREDENTIALS, _EXPOSE)
_PREFLIGHT: Final = (_METHODS, _HEADERS, _AGE, _CREDENTIALS)
_HIDDEN: Final = ("Access-Control-Allow-Origin", _EXPOSE, *_PREFLIGHT)


def preflight_variable(number: int) -> str:
    """Return the variable that is `1` for a preflight."""
    return f"$loadpath_preflight_{number}"


def cors_maps(number: int, route: Route) -> list[str]:
    """Return the maps of one route."""
    cors = route.cors
    if cors is None:
        return []
    origin = _origin(number)
    if cors.origins == ("*",):
        lines = switch("$http_origin", origin, {'""': '""'}, '"*"')
    else:
        allowed = {exactly(each): "$http_origin" for each in cors.origins}
        lines = switch("$http_origin", origin, allowed, '""')
    asked = quoted("$request_method $http_access_control_request_method $http_origin")
    lines += switch(asked, preflight_variable(number), {'"~^OPTIONS [^ ]+ ."': "1"}, "0")
    for place, (_, value) in enumerate(_dependent(route)):
        lines += switch(origin, _value(number, place), {'""': '""'}, literal(value))
    return lines


def cors_lines(number: int, route: Route) -> list[str]:
    """Return the fields of an answer to a page of another origin."""
    if route.cors is None:
        return []
    return [
        *(f"proxy_hide_header {name};" for name in _HIDDEN if route.targets),
        *_told(number, route, preflight=False),
    ]


def preflight_lines(number: int, route: Route) -> list[str]:
    """Return the inside of the location that answers preflights."""
    id_line = "add_header X-Request-Id $loadpath_request_id always;"
    return [*_told(number, route, preflight=True), id_line, "return 204;"]


def _told(number: int, route: Route, *, preflight: bool) -> list[str]:
    assert route.cors is not None
    lines = [f"add_header Access-Control-Allow-Origin {_origin(number)} always;"]
    if route.cors.origins != ("*",):
        lines.append("add_header Vary Origin always;")
    for place, (name, _) in enumerate(_dependent(route)):
        if name in (_PREFLIGHT if preflight else _ANSWERED):
            lines.append(f"add_header {name} {_value(number, place)} always;")
    return lines


def _dependent(route: Route) -> list[tuple[str, str]]:
    cors = route.cors
    assert cors is not None
    fields = [
        (_METHODS, ", ".join(cors.methods)),
        (_HEADERS, ", ".join(cors.headers)),
        (_AGE, str(cors.max_age)),
        (_CREDENTIALS, "true" if cors.credentials else ""),
        (_EXPOSE, ", ".join(cors.expose)),
    ]
    return [(name, value) for name, value in fields if value]


def _origin(number: int) -> str:
    return f"$loadpath_origin_{number}"


def _value(number: int, place: int) -> str:
    return f"$loadpath_cors_{number}_{place}"
