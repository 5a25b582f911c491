"""The `Forwarded` field: read by whoever trusts it, written for the upstream. Pure.

Source: RFC 7239 section 4 (syntax) and 6 (nodes).
"""

import re

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105 - a token of HTTP
_PAIR = re.compile(rf'\s*+({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*+)")\s*+(;|,|\Z)')
_ESCAPED = re.compile(r"\\(.)")


def read_forwarded(value: bytes) -> list[dict[str, str]]:
    """Return the elements of a field, names in lower case.

    What is read ends where the field breaks its syntax; what was read before is dropped then, so
    that nobody can hide an element from us by a broken one.
    """
    text = value.decode("latin-1")
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return []
        name, plain, quoted, end = pair.groups()
        elements[-1][name.lower()] = plain if plain is not None else _ESCAPED.sub(r"\1", quoted)
        if end == ",":
            elements.append({})
        at = pair.end()
    return elements


def forwarded_element(client: str, scheme: str, host: bytes) -> bytes:
    """Return what we add: for whom, how it came, and what it asked."""
    node = f'"[{client}]"' if ":" in client else client
    shown = b'"%b"' % host if b":" in host else host
    element = f"for={node};proto={scheme}".encode()
    return b"%b;host=%b" % (element, shown) if host else element
