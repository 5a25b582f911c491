"""Where a cache keeps what on the server: entries under the prefix, the rest beside them.

With a prefix such as `{cache}:` everything of a cache is in one slot of a cluster.
"""

from dataclasses import dataclass, field

from loadpath.cache.hearing import Hearing


@dataclass(frozen=True, slots=True)
class Names:
    """Give the server's keys.

    Attributes:
        prefix: What the keys of entries begin with.
        leases: What the keys of leases begin with.
        barriers: What the keys of barriers begin with; the floor is the one without a tag.
        stamp: The key of the newest stamp.
    """

    prefix: str
    leases: str = field(init=False)
    barriers: str = field(init=False)
    stamp: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.prefix or self.prefix.startswith("#"):
            raise ValueError(
                f"prefix must not be empty nor begin with '#', which is ours: {self.prefix!r}"
            )
        object.__setattr__(self, "leases", f"#{self.prefix}lease:")
        object.__setattr__(self, "barriers", f"#{self.prefix}barrier:")
        object.__setattr__(self, "stamp", f"#{self.prefix}stamp")

    @property
    def floor(self) -> str:
        """The key of the floor."""
        return self.barriers

    @property
    def channel(self) -> str:
        """Where changes are published."""
        return f"#{self.prefix}changes"

    def tell(self, name: str, hearing: Hearing) -> None:
        """Tell a cache that one of the server's keys was changed."""
        if name == self.floor:
            hearing.all_changed()
        elif name.startswith(self.barriers):
            hearing.tag_changed(name.removeprefix(self.barriers))
        elif name.startswith(self.prefix):
            hearing.changed(name.removeprefix(self.prefix))
