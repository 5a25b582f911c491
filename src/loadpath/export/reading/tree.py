"""Directives of an nginx file and what they hold."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from loadpath.export.reading.tokens import NginxSyntaxError, Token, tokens

_DEEPEST = 50
_MARK = "\ufeff"


@dataclass(slots=True, eq=False)
class Directive:
    """Be one directive.

    Attributes:
        name: What it is called.
        args: Its words.
        line: Where it begins, counted from 1.
        block: What it holds; None without braces.
        understood: Whether it was taken into the settings.
    """

    name: str
    args: tuple[str, ...]
    line: int
    block: "list[Directive] | None" = None
    understood: bool = field(default=False, init=False)

    def take(self) -> tuple[str, ...]:
        """Return its words, and remember that they were understood."""
        self.understood = True
        return self.args

    def all(self, name: str) -> "list[Directive]":
        """Return the directives of one name that it holds itself."""
        return [each for each in self.block or () if each.name == name]

    def first(self, name: str) -> "Directive | None":
        """Return the first directive of one name that it holds itself."""
        return next(iter(self.all(name)), None)


def parse(text: str, file: str) -> Directive:
    """Return a file as a directive that holds everything.

    Raises:
        NginxSyntaxError: nginx itself would not read it.
    """
    if text.startswith(_MARK):
        raise NginxSyntaxError(file, 1, "it begins with a byte order mark: save it without one")
    root = Directive("", (), 1, [])
    stream = tokens(text, file)
    root.block = list(_directives(stream, file, 1, depth=0))
    root.understood = True
    return root


def _directives(
    stream: Iterator[Token], file: str, opened: int, *, depth: int
) -> Iterator[Directive]:
    if depth > _DEEPEST:
        raise NginxSyntaxError(file, opened, f"blocks are nested deeper than {_DEEPEST}")
    words: list[Token] = []
    for token in stream:
        if not token.sign:
            words.append(token)
            continue
        if token.text == "}":
            _closed(words, token, file, depth)
            return
        if not words:
            raise NginxSyntaxError(file, token.line, f"unexpected {token.text!r}")
        name, *args = (each.text for each in words)
        found = Directive(name, tuple(args), words[0].line)
        words = []
        if token.text == "{":
            found.block = list(_directives(stream, file, found.line, depth=depth + 1))
        yield found
    if words:
        raise NginxSyntaxError(file, words[0].line, f"{words[0].text} does not end with `;`")
    if depth:
        raise NginxSyntaxError(file, opened, "the block that begins here is not closed by a `}`")


def _closed(words: list[Token], token: Token, file: str, depth: int) -> None:
    if words:
        raise NginxSyntaxError(file, words[0].line, f"{words[0].text} does not end with `;`")
    if not depth:
        raise NginxSyntaxError(file, token.line, "unexpected `}`")
