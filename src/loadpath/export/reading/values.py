"""Times, sizes and texts as nginx writes them."""

import re
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
_SIZES: Final = {"k": 1_024, "m": 1_048_576, "g": 1_073_741_824}


def seconds(text: str) -> float | None:
    """Return a time, None when it is none."""
    total, at = 0.0, 0
    for part in _TIME.finditer(text):
        if part.start() != at:
            return None
        total += int(part[1]) * _UNITS[part[2] or ""]
        at = part.end()
    return round(total, 3) if text and at == len(text) else None


def size(text: str) -> int | None:
    """Return a size in bytes, None when it is none."""
    factor = _SIZES.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    return int(digits) * factor if digits.isdecimal() else None


def plain(text: str) -> str | None:
    """Return a text in which no variable stands, None when one does."""
    undone = text.replace(DOLLAR, "\0")
    return None if "$" in undone else undone.replace("\0", "$")
