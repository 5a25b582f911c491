"""Certificates of listeners: where HAProxy looks for a key, or a store that says where it is.

Every version takes a key from the certificate's own file or from `NAME.crt.key`; with one line in
`global` it takes `NAME.key` for `NAME.crt`. For keys elsewhere there is `crt-store`, which came
with HAProxy 3.0, so it is written only for them.

Source: HAProxy's configuration manual (`ssl-load-extra-del-ext`, `crt-store`).
"""

from typing import Final

from loadpath.export.haproxy.quoting import quoted
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Certificate, Listener

MOST: Final = 30
"""Certificates of one listener: a line of HAProxy's has 64 words."""
_ENDING: Final = ".crt"

Pair = tuple[str, str]


def key_rule(settings: GatewaySettings) -> list[str]:
    """Return what `global` says about the names of keys."""
    pairs = _pairs(settings)
    if all(map(_is_beside, pairs)) or not all(map(_has_same_stem, pairs)):
        return []
    return ["ssl-load-extra-del-ext"]


def store(settings: GatewaySettings) -> list[str]:
    """Return the section that says where keys are, empty when their names say it."""
    pairs = _pairs(settings)
    if not _needs_store(pairs):
        return []
    loads = [
        f"    load crt {quoted(chain)} key {quoted(key)} alias {_alias(pairs, (chain, key))}"
        for chain, key in pairs
    ]
    return ["crt-store loadpath", *loads]


def certificate_words(settings: GatewaySettings, listener: Listener) -> list[str]:
    """Return the words of a `bind` line that name its certificates."""
    pairs = _pairs(settings)
    if _needs_store(pairs):
        names = [f"@loadpath/{_alias(pairs, _pair(each))}" for each in listener.tls]
    else:
        names = [quoted(each.certificate) for each in listener.tls]
    return [word for each in names for word in ("crt", each)]


def _pairs(settings: GatewaySettings) -> list[Pair]:
    return sorted({_pair(each) for one in settings.listeners for each in one.tls})


def _pair(certificate: Certificate) -> Pair:
    return certificate.certificate, certificate.key


def _needs_store(pairs: list[Pair]) -> bool:
    return not (all(map(_is_beside, pairs)) or all(map(_has_same_stem, pairs)))


def _is_beside(pair: Pair) -> bool:
    return pair[1] in (pair[0], f"{pair[0]}.key")


def _has_same_stem(pair: Pair) -> bool:
    chain, key = pair
    return key == chain or (chain.endswith(_ENDING) and key == f"{chain[: -len(_ENDING)]}.key")


def _alias(pairs: list[Pair], pair: Pair) -> str:
    return f"c{pairs.index(pair)}"
