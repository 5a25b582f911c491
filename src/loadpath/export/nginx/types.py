"""Media types one by one: nginx knows no `text/*`."""

from typing import Final

from loadpath.gateway.settings.filters import Compression

_TEXT: Final = (
    "text/plain",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/markdown",
    "text/xml",
    "text/calendar",
    "text/vtt",
)


def types_of(compress: Compression) -> list[str] | None:
    """Return the types beside `text/html`, which is always in; None for an unknown kind."""
    types: list[str] = []
    for each in compress.types:
        if each == "text/*":
            types += _TEXT
        elif "*" in each:
            return None
        else:
            types.append(each)
    return [each for each in dict.fromkeys(types) if each != "text/html"]
