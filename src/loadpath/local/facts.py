"""Say what a server promises, for the verdicts that are measured on it."""

from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """State a running server's version, durability policy and place of its data.

    Attributes:
        name: `PostgreSQL`, `Valkey`, `Redis` or `nginx`.
        version: Its version.
        source: Where its program comes from.
        policy: The settings that decide what survives a crash, as the server reports them.
        synced: Whether a write is on the disk, as far as the operating system knows, before it
            is acknowledged.
        folder: Where its data is.
        on_disk: Whether that is a real disk rather than memory.
    """

    name: str
    version: str
    source: str
    policy: str
    synced: bool
    folder: Path
    on_disk: bool

    @property
    def durable(self) -> bool:
        """Whether an acknowledged write survives a power loss, if the disk keeps its word."""
        return self.synced and self.on_disk

    def __str__(self) -> str:
        place = "a real disk" if self.on_disk else "memory"
        return f"{self.name} {self.version} ({self.source}), {self.policy}, data on {place}"

    def as_json(self) -> dict[str, str | bool]:
        """Return the facts as a verdict prints them."""
        return {**asdict(self), "folder": str(self.folder), "durable": self.durable}
