"""Header fields that nginx sets, as rules of a route."""

from collections.abc import Callable
from typing import Final

from loadpath.export.reading.notes import Notes
from loadpath.export.reading.scope import Scope
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import plain
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.http.grammar import token

_CLIENT_HOST: Final = ("$host", "$http_host", "$host:$server_port")
_DONE: Final[dict[str, tuple[str, ...]]] = {
    "x-real-ip": ("$remote_addr",),
    "x-forwarded-for": ("$proxy_add_x_forwarded_for", "$remote_addr", "$loadpath_forwarded_for"),
    "x-forwarded-proto": ("$scheme", "$loadpath_forwarded_proto"),
    "x-forwarded-host": ("$host", "$http_host", "$loadpath_forwarded_host"),
    "x-request-id": ("$request_id", "$loadpath_request_id"),
    "forwarded": ("",),
    "connection": ("", "upgrade", "$connection_upgrade"),
    "upgrade": ("", "$http_upgrade"),
}
"""What the gateway does by itself."""


def read_host(scope: Scope, otherwise: str) -> str | None:
    """Return what `Host` says, None for what the client said.

    Args:
        scope: Where it is looked for.
        otherwise: What nginx sends when nothing is set.
    """
    for each in scope.all("proxy_set_header"):
        if len(each.args) == 2 and each.args[0].lower() == "host":  # noqa: PLR2004 - name, value
            said = each.take()[1]
            if said in _CLIENT_HOST:
                return None
            return otherwise if said == "$proxy_host" else plain(said) or None
    return otherwise


def can_upgrade(scope: Scope) -> bool:
    """Return whether requests for an upgrade are passed on as such."""
    for each in scope.here.all("if"):
        if each.args == ("($loadpath_tunnel)",):
            each.take()
            for inner in each.block or ():
                _take_way(scope.here, inner.take()[-1])
            return True
    sets = scope.all("proxy_set_header")
    return any(each.args[:1] == ("Upgrade",) and each.args[1:] != ("",) for each in sets)


def _take_way(location: Directive, code: str) -> None:
    for each in location.all("error_page"):
        if each.args[:1] == (code,):
            each.take()


def request_rules(scope: Scope, notes: Notes) -> HeaderRules:
    """Return what is changed in requests."""
    return _rules(scope, notes, "proxy_set_header", _is_done)


def response_rules(scope: Scope, notes: Notes) -> HeaderRules:
    """Return what is changed in answers."""
    rules = _rules(scope, notes, "add_header", _is_ours)
    changed = {each.lower() for each in rules.set}
    hidden = [each for each in scope.all("proxy_hide_header") if _is_field(each, notes)]
    names = [each.take()[0] for each in hidden]
    gone = tuple(each for each in names if each.lower() not in {*changed, "x-request-id"})
    return HeaderRules(set=rules.set, remove=gone)


def _is_field(at: Directive, notes: Notes) -> bool:
    """Return whether a directive names a header field, else note it."""
    if token.fullmatch(at.args[0].encode()):
        return True
    notes.add(at, "not understood", "it names no header field")
    return False


def _rules(
    scope: Scope, notes: Notes, name: str, is_known: Callable[[str, str], bool]
) -> HeaderRules:
    changes: dict[str, str] = {}
    gone: list[str] = []
    for each in scope.all(name):
        if not _is_field(each, notes):
            continue
        field, value = each.args[:2]
        said = plain(value)
        if is_known(field.lower(), value):
            each.take()
        elif field.lower() == "host" and name == "proxy_set_header":
            if said is None and value not in (*_CLIENT_HOST, "$proxy_host"):
                notes.add(each, "not understood", _VARIABLE)
            elif not value:
                notes.add(each, "not understood", "an upstream is always told a host")
        elif said is None:
            notes.add(each, "not understood", _VARIABLE)
        else:
            each.take()
            if said:
                changes[field] = said
            else:
                gone.append(field)
    return HeaderRules(set=changes, remove=tuple(gone))


_VARIABLE: Final = "its value holds a variable; it is left out"


def _is_done(field: str, value: str) -> bool:
    return value in _DONE.get(field, ())


def _is_ours(field: str, value: str) -> bool:
    return field == "x-request-id" and value in ("$request_id", "$loadpath_request_id")
