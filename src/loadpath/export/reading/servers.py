"""Servers as listeners, certificates and hosts."""

from typing import Final

from loadpath.export.reading.notes import Notes
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import plain, whole
from loadpath.gateway.settings.listening import Certificate, Listener

_EVERY: Final = "0.0.0.0"  # noqa: S104 - what nginx listens on when nothing else is said
_KNOWN: Final = frozenset({"ssl", "default_server", "default"})
_ANY: Final = frozenset({"_", "", "localhost"})


def read_hosts(server: Directive, notes: Notes) -> tuple[str, ...]:
    """Return the names of a server; empty for all hosts."""
    hosts: list[str] = []
    for each in server.all("server_name"):
        for name in each.take():
            if name.startswith("~") or name.endswith(".*"):
                notes.add(each, "not understood", f"{name} is left out")
            elif name.startswith("."):
                hosts += [name[1:], f"*{name}"]
            elif name not in _ANY:
                hosts.append(name.lower())
    return tuple(dict.fromkeys(hosts))


def read_listeners(server: Directive, names: tuple[str, ...], notes: Notes) -> list[Listener]:
    """Return where a server listens, with its certificate."""
    certificates = _certificates(server, names, notes)
    listeners = []
    for each in server.all("listen"):
        where, *options = (*each.take(), "")
        for option in options:
            if option and option not in _KNOWN:
                notes.add(each, "not understood", f"{option} is left out")
        address = _address(where)
        if address is None:
            notes.add(each, "not understood", "only TCP addresses are known")
            continue
        host, port = address
        tls = certificates if "ssl" in options else ()
        listeners.append(Listener(host=host, port=port, tls=tls))
    return listeners


def _address(where: str) -> tuple[str, int] | None:
    if where.startswith("unix:"):
        return None
    host, colon, port = where.rpartition(":")
    if where.isdecimal():
        host, port = "*", where
    elif not colon or where.endswith("]"):
        host, port = where, "80"
    host, number = (_EVERY if host == "*" else host.strip("[]")), whole(port)
    return (host, number) if host and number and number < 65_536 else None  # noqa: PLR2004 - ports


def _certificates(
    server: Directive, names: tuple[str, ...], notes: Notes
) -> tuple[Certificate, ...]:
    chains, keys = server.all("ssl_certificate"), server.all("ssl_certificate_key")
    found = []
    for chain, key in zip(chains, keys, strict=False):
        paths = plain(chain.take()[0]), plain(key.take()[0])
        if paths[0] is None or paths[1] is None:
            notes.add(chain, "not understood", "its path holds a variable")
            continue
        found.append(Certificate(certificate=paths[0], key=paths[1], names=names))
    return tuple(found)


def merged(found: list[Listener]) -> tuple[Listener, ...]:
    """Return one listener for each address, with the certificates of all servers there."""
    chains: dict[tuple[str, int], dict[tuple[str, str], tuple[str, ...]]] = {}
    for each in found:
        certificates = chains.setdefault((each.host, each.port), {})
        for one in each.tls:
            place = (one.certificate, one.key)
            certificates[place] = tuple(dict.fromkeys((*certificates.get(place, ()), *one.names)))
    return tuple(
        Listener(
            host=host,
            port=port,
            tls=tuple(
                Certificate(certificate=chain, key=key, names=names)
                for (chain, key), names in certificates.items()
            ),
        )
        for (host, port), certificates in chains.items()
    )
