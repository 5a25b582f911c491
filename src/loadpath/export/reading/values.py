"""Times, sizes and texts as nginx writes them."""

import re
from ipaddress import ip_network
from typing import Final

DOLLAR: Final = "${loadpath_dollar}"
_TIME = re.compile(r"(\d+)(ms|s|m|h|d|w|M|y)?\s*")
_UNITS: Final = {
    "ms": 0.001,
    "s": 1.0,
    "": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "M": 2_592_000.0,
    "y": 31_536_000.0,
}
_MOST_DIGITS: Final = 15
_LONGEST_NAME: Final = 100
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_SIZES: Final = {"k": 1_024, "m": 1_048_576, "g": 1_073_741_824}


def seconds(text: str) -> float | None:
    """Return a time, None when it is none."""
    total, at = 0.0, 0
    for part in _TIME.finditer(text):
        if part.start() != at:
            return None
        count = whole(part[1])
        if count is None:
            return None
        total += count * _UNITS[part[2] or ""]
        at = part.end()
    return round(total, 3) if text and at == len(text) else None


def size(text: str) -> int | None:
    """Return a size in bytes, None when it is none."""
    factor = _SIZES.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    count = whole(digits)
    return None if count is None else count * factor


def whole(text: str) -> int | None:
    """Return a whole number, None when it is none or longer than any setting can be."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def network(text: str) -> str | None:
    """Return an address or a network, None when it is none; nginx drops the bits behind it."""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    return text if str(found.network_address) == text.partition("/")[0] else str(found)


def name(text: str) -> str:
    """Return a name as upstreams have it."""
    letters = (
        each if each.isascii() and (each.isalnum() or each in "_.-") else "_" for each in text
    )
    return "".join(letters)[:_LONGEST_NAME] or "_"


def plain(text: str) -> str | None:
    """Return a text in which no variable stands, None when one does."""
    undone = text.replace(DOLLAR, "\0")
    return None if "$" in undone else undone.replace("\0", "$")
