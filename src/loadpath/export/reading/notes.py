"""What a reader of an nginx file has to tell."""

from dataclasses import dataclass, field
from typing import Literal

from loadpath.export.reading.tree import Directive

Kind = Literal["not understood", "mistake", "differs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Tell one thing about one line.

    Attributes:
        file: The file.
        line: The line, counted from 1.
        directive: The directive, as it stands there.
        kind: Not understood and left out, a mistake of the file, or taken over with a difference.
        why: What is to be known.
    """

    file: str
    line: int
    directive: str
    kind: Kind
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.directive}: {self.kind}: {self.why}"


@dataclass(slots=True)
class Notes:
    """Collect notes of one file.

    Attributes:
        file: The file.
        found: What was noted.
    """

    file: str
    found: list[Note] = field(default_factory=list)

    def add(self, at: Directive, kind: Kind, why: str) -> None:
        """Note something; the directive counts as dealt with."""
        at.understood = True
        text = " ".join((at.name, *at.args))
        self.found.append(Note(file=self.file, line=at.line, directive=text, kind=kind, why=why))

    def left(self, root: Directive) -> None:
        """Note every directive that nobody took."""
        for each in root.block or ():
            if not each.understood:
                self.add(each, "not understood", "it is left out")
            else:
                self.left(each)
