"""Requests as filters meet them."""

from loadpath.gateway.exchange import AnswerHead, Exchange
from loadpath.http import parse_request_head

Fields = dict[str, str]


def asked(
    path: str = "/",
    *,
    method: str = "GET",
    client: str = "192.0.2.1",
    fields: Fields | None = None,
) -> Exchange:
    """Return a request that has come so far."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (fields or {}).items())
    written = f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode("latin-1")
    head = parse_request_head(written, 0, len(written) - 2)
    return Exchange(
        head=head,
        client=client,
        scheme="https",
        host="a.example",
        path=path.partition("?")[0],
        request_id="r1",
        fields=[],
    )


def answered(
    status: int = 200, fields: Fields | None = None, *, length: int | None = None
) -> AnswerHead:
    """Return the head of an answer."""
    pairs = [(name.encode(), value.encode()) for name, value in (fields or {}).items()]
    return AnswerHead(status=status, fields=pairs, length=length)


def field(head: AnswerHead, name: str) -> str | None:
    """Return a field of an answer, None when it is not there; fails when it is there twice."""
    found = [value for each, value in head.fields if each.lower() == name.lower().encode()]
    assert len(found) <= 1, found
    return found[0].decode() if found else None
