"""The id of a request: the client's own where it is sane, else one of ours. Pure."""

import re
from collections.abc import Callable

_SANE = re.compile(rb"[A-Za-z0-9_.:+/=@-]{1,128}")

Bits = Callable[[int], int]


def request_id(found: bytes | None, bits: Bits) -> str:
    """Return the id.

    Args:
        found: What the client's `X-Request-Id` says.
        bits: Where chance comes from.
    """
    if found is not None and _SANE.fullmatch(found):
        return found.decode("ascii")
    return f"{bits(128):032x}"
