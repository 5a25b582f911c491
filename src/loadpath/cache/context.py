"""What a factory may know and change: the value before it, and how the new one is kept."""

from dataclasses import replace
from typing import Any

from loadpath.cache.missing import MISSING
from loadpath.cache.options import EntryOptions


class FillContext:
    """Stand for one call of a factory that has a parameter.

    Attributes:
        key: The key that is filled.
        stale: The value past its ttl, `MISSING` when there is none.
        options: How the new value is kept.
        keeps: Whether the new value is kept at all.
    """

    __slots__ = ("keeps", "key", "options", "stale")

    def __init__(self, key: str, options: EntryOptions, stale: Any = MISSING) -> None:
        self.key = key
        self.options = options
        self.stale = stale
        self.keeps = True

    def adapt(self, **changes: Any) -> None:
        """Keep the new value differently, for example `adapt(l1_ttl=5.0, tags=("user:1",))`.

        Raises:
            TypeError: `EntryOptions` has no such field.
            ValueError: A value is out of range.
        """
        self.options = replace(self.options, **changes)

    def not_modified(self) -> Any:
        """Return the value past its ttl, to be kept as if it were new.

        Raises:
            LookupError: There is none; look at `stale` first.
        """
        if self.stale is MISSING:
            raise LookupError(f"{self.key!r} has no earlier value: look at `stale` first")
        return self.stale

    def do_not_keep(self) -> None:
        """Give the value to those who wait and store it nowhere."""
        self.keeps = False
