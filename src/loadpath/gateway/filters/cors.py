"""Let pages of other origins use a route; browsers enforce what is answered here. Pure.

A preflight is answered by the gateway and reaches no upstream. What an upstream says about CORS
itself is replaced: two answers to one question let none through.

Source: Fetch standard, section 3.3 (CORS protocol).
"""

from loadpath.gateway.exchange import AnswerHead, Exchange, Field, Reply
from loadpath.gateway.settings.filters import Cors

_PREFIX = b"access-control-"


class CorsFilter:
    """Answer preflights, and tell browsers which origins may read answers.

    An origin that may not gets the answer without these fields: its browser keeps it from the page.

    Args:
        cors: Who may do what.
    """

    __slots__ = ("_any", "_expose", "_origins", "_preflight", "_shared")

    def __init__(self, cors: Cors) -> None:
        self._any = cors.origins == ("*",)
        self._origins = frozenset(each.encode() for each in cors.origins)
        self._shared: list[Field] = []
        if cors.credentials:
            self._shared.append((b"Access-Control-Allow-Credentials", b"true"))
        self._expose = _list(b"Access-Control-Expose-Headers", cors.expose)
        self._preflight = [
            *_list(b"Access-Control-Allow-Methods", cors.methods),
            *_list(b"Access-Control-Allow-Headers", cors.headers),
            (b"Access-Control-Max-Age", b"%d" % cors.max_age),
        ]

    def enter(self, exchange: Exchange) -> Reply | None:
        """Answer a preflight."""
        index = exchange.head.index
        asked = b"origin" in index and b"access-control-request-method" in index
        if exchange.head.method != b"OPTIONS" or not asked:
            return None
        return Reply(head=AnswerHead(status=204, fields=[]))

    def leave(self, exchange: Exchange, head: AnswerHead) -> None:
        """Tell who may read the answer."""
        index = exchange.head.index
        fields = [each for each in head.fields if not each[0].lower().startswith(_PREFIX)]
        if not self._any:
            add_vary(fields, b"Origin")
        origin = index.get(b"origin")
        if origin is not None and (self._any or origin in self._origins):
            fields.append((b"Access-Control-Allow-Origin", b"*" if self._any else origin))
            fields += self._shared
            asked = exchange.head.method == b"OPTIONS" and b"access-control-request-method" in index
            fields += self._preflight if asked else self._expose
        head.fields = fields


def add_vary(fields: list[Field], name: bytes) -> None:
    """Say that an answer depends on a field of the request, once."""
    for place, (each, value) in enumerate(fields):
        if each.lower() == b"vary":
            listed = {part.strip().lower() for part in value.split(b",")}
            if not listed & {name.lower(), b"*"}:
                fields[place] = (each, b"%b, %b" % (value, name))
            return
    fields.append((b"Vary", name))


def _list(name: bytes, values: tuple[str, ...]) -> list[Field]:
    return [(name, ", ".join(values).encode())] if values else []
