r"""Write text so that nginx reads it back as it is, and as one word.

In double quotes nginx's reader knows two escapes that matter, `\"` and `\\`; nothing else ends
the word. Most directives also put variables in: a dollar is written as a variable that holds one.
"""

from typing import Final

DOLLAR: Final = "${loadpath_dollar}"


def quoted(text: str) -> str:
    """Return one word for a directive that knows no variables, or for a pattern."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Return one word for a directive that would take a dollar for a variable."""
    return quoted(text).replace("$", DOLLAR)


def block(head: str, lines: list[str]) -> list[str]:
    """Return a block of directives."""
    return [f"{head} {{", *(f"    {line}" if line else "" for line in lines), "}"]


def seconds(value: float) -> str:
    """Return a time; nginx knows nothing below a millisecond, and 0 would mean none at all."""
    thousandths = max(round(value * 1000), 1)
    whole, rest = divmod(thousandths, 1000)
    return f"{thousandths}ms" if rest else f"{whole}s"
