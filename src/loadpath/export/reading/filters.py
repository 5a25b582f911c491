"""Limits, addresses and compression of a location."""

import re
from collections.abc import Mapping
from typing import Any, Final

from loadpath.export.reading.notes import Notes
from loadpath.export.reading.scope import Scope
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import network, plain, size, whole
from loadpath.gateway.settings.filters import Addresses, Compression, RateLimitSettings

_RATE = re.compile(r"rate=(\d+)r/([sm])")
_CLIENT: Final = ("$binary_remote_addr", "$remote_addr")
_NGINX_MINIMUM: Final = 20


def read_zones(http: Directive, notes: Notes) -> dict[str, RateLimitSettings]:
    """Return what each `limit_req_zone` allows, by name."""
    zones: dict[str, RateLimitSettings] = {}
    for each in http.all("limit_req_zone"):
        words = each.take()
        name = next((w[5:].partition(":")[0] for w in words if w.startswith("zone=")), "")
        rate = next((found for w in words if (found := _RATE.fullmatch(w))), None)
        key = _key(words[0] if words else "")
        often = whole(rate[1]) if rate is not None else None
        if rate is None or key is None or not often:
            notes.add(each, "not understood", "its key or rate is not known")
            continue
        period = 1.0 if rate[2] == "s" else 60.0
        zones[name] = RateLimitSettings(limit=often, period=period, **key)
    return zones


def _key(text: str) -> dict[str, Any] | None:
    if text in _CLIENT:
        return {"key": "client"}
    if text.startswith("$http_"):
        return {"key": "header", "header": text[6:].replace("_", "-")}
    return {"key": "route"} if plain(text) is not None and text else None


def read_limit(
    scope: Scope, zones: Mapping[str, RateLimitSettings], notes: Notes
) -> RateLimitSettings | None:
    """Return the rate limit of a location."""
    limits = scope.all("limit_req")
    status = scope.one("limit_req_status")
    if status is not None:
        code = status.take()
        if code != ("429",):
            notes.add(status, "differs", "the gateway answers 429")
    if not limits:
        return None
    for each in limits[1:]:
        notes.add(each, "not understood", "a route has one limit: the first is taken")
    words = limits[0].take()
    name = next((w[5:] for w in words if w.startswith("zone=")), "")
    zone = zones.get(name)
    if zone is None:
        notes.add(limits[0], "not understood", f"there is no zone {name}")
        return None
    said = next((w[6:] for w in words if w.startswith("burst=")), "0")
    burst = whole(said)
    if burst is None:
        notes.add(limits[0], "not understood", f"burst is no number: {said}")
        burst = 0
    if burst and "nodelay" not in words:
        notes.add(limits[0], "differs", "nginx lets the burst wait; here it goes at once")
    return RateLimitSettings(
        limit=zone.limit, period=zone.period, burst=burst + 1, key=zone.key, header=zone.header
    )


def read_addresses(scope: Scope, notes: Notes) -> Addresses:
    """Return who may use a location; nginx takes the first rule that fits."""
    rules: list[Directive] = []
    for block in scope.blocks:
        rules = [each for each in block.block or () if each.name in ("allow", "deny")]
        if rules:
            break
    deny, allow = _networks("deny", rules, notes), _networks("allow", rules, notes)
    order = [each.name for each in rules]
    closes = bool(rules) and rules[-1].name == "deny" and rules[-1].args == ("all",)
    for each in rules:
        each.take()
    plainly = (
        order == sorted(order[:-1], reverse=True) + order[-1:]
        if closes
        else (order == sorted(order, reverse=True) and (not allow or not deny))
    )
    if not plainly:
        notes.add(rules[0], "not understood", "of `allow` and `deny` here deny always wins")
        return Addresses()
    return Addresses(allow=tuple(allow) if closes else (), deny=tuple(deny))


def _networks(name: str, rules: list[Directive], notes: Notes) -> list[str]:
    found = []
    for each in rules:
        if each.name != name or each.args == ("all",):
            continue
        place = network(each.args[0])
        if place is None:
            notes.add(each, "not understood", "it is no IP address or network")
        else:
            found.append(place)
    return found


def read_compression(scope: Scope) -> Compression | None:
    """Return what is compressed, None when nothing is."""
    for name in ("gzip_proxied", "gzip_vary"):
        scope.word(name)
    on = scope.word("gzip") == "on"
    smallest = size(scope.word("gzip_min_length") or str(_NGINX_MINIMUM))
    types = scope.one("gzip_types")
    listed = types.take() if types is not None else ()
    if not on:
        return None
    kinds = tuple(dict.fromkeys(("text/html", *listed)))
    return Compression(encodings=("gzip",), min_size=max(smallest or 1, 1), types=kinds)
