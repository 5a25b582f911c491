"""Write text so that HAProxy reads it back as it is, and as one word.

In single quotes nothing is special but the quote itself. Some arguments are then read once more, as
formats, in which `%` begins something, or as replacements, in which a backslash does.
"""


def quoted(text: str) -> str:
    """Return one word."""
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """Return one word for an argument that is read as a format; a word must not be empty."""
    return quoted(text.replace("%", "%%") or "%[str()]")


def replacement(text: str) -> str:
    """Return the inside of a replacement: also its backslashes stand for themselves."""
    return text.replace("\\", "\\\\").replace("%", "%%")


def milliseconds(value: float) -> str:
    """Return a time; 0 would mean none at all."""
    return f"{max(round(value * 1000), 1)}ms"
