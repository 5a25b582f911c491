"""What locations say about the services they pass to: one entry for each, as a gateway has it."""

from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from loadpath.balance.endpoint import Endpoint
from loadpath.export.reading.notes import Notes
from loadpath.export.reading.scope import Scope
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import name, plain, whole
from loadpath.export.reading.waits import read_wait
from loadpath.gateway.settings.upstreams import (
    EndpointSettings,
    PassiveHealth,
    Retries,
    UpstreamSettings,
    UpstreamTimeouts,
    UpstreamTls,
)

_NGINX_WAIT: Final = 60.0
_PORTS: Final = {"http": 80, "https": 443}
_REPEATED: Final = frozenset(
    {"error", "timeout", "invalid_header", "http_502", "http_503", "http_504"}
)


class Services:
    """Collect upstreams: from their blocks, and from the locations that pass to them.

    Args:
        blocks: Fields of the upstream blocks by name.
        notes: Where is noted what is not understood.
    """

    def __init__(self, blocks: dict[str, dict[str, Any]], notes: Notes) -> None:
        self._fields = blocks
        self._notes = notes
        self._said: dict[str, dict[str, Any]] = {}

    def of(self, passed: Directive, scope: Scope) -> str | None:
        """Return the name of the upstream that a `proxy_pass` names, None when it names none."""
        if len(passed.args) != 1 or plain(passed.args[0]) is None:
            self._notes.add(passed, "not understood", "its address holds a variable")
            return None
        address = _split(passed.take()[0])
        is_host = address.netloc and not address.netloc.startswith(("unix", ":"))
        if address.scheme not in _PORTS or not is_host:
            self._notes.add(passed, "not understood", "only http:// and https:// are known")
            return None
        called = name(address.netloc)
        if called not in self._fields:
            called = self._single(address.netloc, _PORTS[address.scheme])
        self._hear(called, passed, scope, tls=address.scheme == "https")
        return called

    def settings(self) -> dict[str, UpstreamSettings]:
        """Return every upstream that has an endpoint."""
        return {
            called: UpstreamSettings(**fields | self._said.get(called, {}))
            for called, fields in self._fields.items()
            if fields["endpoints"]
        }

    def _single(self, netloc: str, port: int) -> str:
        """Return the name of an upstream for one address."""
        address = netloc if ":" in netloc.rpartition("]")[2] else f"{netloc}:{port}"
        called = name(address)
        endpoints: tuple[EndpointSettings, ...] = (EndpointSettings(address=address),)
        try:
            Endpoint.parse(address)
        except ValueError:
            endpoints = ()
        alone = PassiveHealth(max_fails=0)  # nginx never takes out the only one
        self._fields.setdefault(called, {"endpoints": endpoints, "passive": alone})
        return called

    def _hear(self, called: str, passed: Directive, scope: Scope, *, tls: bool) -> None:
        said = {
            "timeouts": self._timeouts(scope),
            "retries": self._retries(called, scope),
            "tls": _tls(scope) if tls else None,
        }
        if self._said.setdefault(called, said) != said:
            self._notes.add(
                passed,
                "differs",
                f"{called} has the timeouts, retries and TLS of the location that named it first",
            )

    def _timeouts(self, scope: Scope) -> UpstreamTimeouts:
        waits = {}
        for field in ("connect", "send", "read"):
            found = scope.one(f"proxy_{field}_timeout")
            wait = read_wait(found, found.take()[0], self._notes) if found else None
            waits[field] = wait or _NGINX_WAIT
        return UpstreamTimeouts(**waits)

    def _retries(self, called: str, scope: Scope) -> Retries:
        tries = scope.word("proxy_next_upstream_tries")
        found = scope.one("proxy_next_upstream")
        words = found.take() if found is not None else ()
        if "off" in words:
            return Retries(tries=1)
        if found is not None and set(words) - _REPEATED:
            self._notes.add(
                found, "differs", "repeated are only requests that are safe, on 502, 503 and 504"
            )
        count = whole(tries or "")
        if count:
            return Retries(tries=count)
        return Retries(tries=max(len(self._fields[called]["endpoints"]), 1))


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # brackets that hold no IPv6 address
        return urlsplit("")


def _tls(scope: Scope) -> UpstreamTls:
    for each in ("proxy_ssl_verify", "proxy_ssl_verify_depth", "proxy_ssl_server_name"):
        scope.word(each)
    ca = plain(scope.word("proxy_ssl_trusted_certificate") or "")
    name = plain(scope.word("proxy_ssl_name") or "")
    return UpstreamTls(ca=ca or "", server_name=name or "")
