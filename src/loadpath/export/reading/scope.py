"""Where a directive is looked for: in a location, then in its server, then in `http`."""

from dataclasses import dataclass

from loadpath.export.reading.tree import Directive


@dataclass(frozen=True, slots=True)
class Scope:
    """Hold the blocks around a place, the innermost first."""

    blocks: tuple[Directive, ...]

    def inside(self, block: Directive) -> "Scope":
        """Return the scope of a block further in."""
        return Scope((block, *self.blocks))

    @property
    def here(self) -> Directive:
        """The innermost block."""
        return self.blocks[0]

    def all(self, name: str) -> list[Directive]:
        """Return the directives of one name in the innermost block that has any."""
        for block in self.blocks:
            found = block.all(name)
            if found:
                return found
        return []

    def one(self, name: str) -> Directive | None:
        """Return the last directive of one name in the innermost block that has any."""
        found = self.all(name)
        return found[-1] if found else None

    def word(self, name: str) -> str | None:
        """Return the only word of a directive, and remember that it was understood."""
        found = self.one(name)
        if found is None or len(found.args) != 1:
            return None
        return found.take()[0]
