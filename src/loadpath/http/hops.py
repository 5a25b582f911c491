"""What belongs to one connection and is not passed on by whoever stands between two.

Source: RFC 9110 section 7.6.1 (Connection).
"""

from collections.abc import Mapping, Sequence

from loadpath.http.fields import Field, tokens_of

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that end here whether `Connection` names them or not."""

NEVER_NAMED = frozenset({b"content-length", b"host"})
"""Fields that `Connection` cannot take away: without them the message would be another one."""


def end_to_end(fields: Sequence[Field], index: Mapping[bytes, bytes]) -> list[Field]:
    """Return the fields that may be passed on.

    Args:
        fields: Of the head.
        index: Its values by name in lower case.
    """
    connection = index.get(b"connection")
    gone: frozenset[bytes] = HOP_BY_HOP
    if connection is not None:
        gone = gone.union(tokens_of(connection)) - NEVER_NAMED
    if gone.isdisjoint(index):
        return list(fields)
    return [each for each in fields if each[0].lower() not in gone]
