"""Words of an nginx file, as its own reader cuts them.

A word ends at white space, `;`, `{` or `}`, unless it began with a quote; `${` belongs to a word;
a backslash takes the next character with it.

Source: `ngx_conf_read_token`.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from loadpath.core.errors import LoadpathError

_SPACE: Final = " \t\r\n"
_ENDS: Final = _SPACE + ";{"
_ESCAPES: Final = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}


class NginxSyntaxError(LoadpathError, ValueError):
    """Refuse a file that nginx itself would not read.

    Attributes:
        line: Where, counted from 1.
    """

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.line = line


class Token(NamedTuple):
    """Be one word, or one of the signs `;`, `{` and `}`.

    Attributes:
        text: The word without its quotes.
        line: Where it begins, counted from 1.
        sign: Whether it is a sign.
    """

    text: str
    line: int
    sign: bool


def tokens(text: str, file: str) -> Iterator[Token]:
    """Give the words and signs of a file.

    Raises:
        NginxSyntaxError: A quote is not closed, or something is glued to one.
    """
    at, line = 0, 1
    while at < len(text):
        character = text[at]
        if character in _SPACE:
            line += character == "\n"
            at += 1
        elif character == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif character in ";{}":
            yield Token(character, line, sign=True)
            at += 1
        else:
            end, word = (_quoted if character in "\"'" else _plain)(text, at, file, line)
            yield Token(word, line, sign=False)
            line += text.count("\n", at, end)
            at = end


def _quoted(text: str, start: int, file: str, line: int) -> tuple[int, str]:
    quote, at, parts = text[start], start + 1, []
    while at < len(text) and text[at] != quote:
        size = 2 if text[at] == "\\" else 1
        parts.append(_unescaped(text[at : at + size]))
        at += size
    if at >= len(text):
        raise NginxSyntaxError(file, line, f"the quote {quote} is not closed")
    after = text[at + 1 : at + 2]
    if after and after not in _ENDS + ")":
        raise NginxSyntaxError(file, line, f"unexpected {after!r} behind a quoted word")
    return at + 1, "".join(parts)


def _plain(text: str, start: int, file: str, line: int) -> tuple[int, str]:
    del file, line
    at, parts = start, []
    while at < len(text):
        if text.startswith("${", at):
            parts.append("${")
            at += 2
            continue
        if text[at] in _ENDS:
            break
        size = 2 if text[at] == "\\" else 1
        parts.append(_unescaped(text[at : at + size]))
        at += size
    return at, "".join(parts)


def _unescaped(piece: str) -> str:
    return _ESCAPES.get(piece[1], piece) if len(piece) > 1 else piece
