"""What the record holds and takes, as values."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NewPost:
    """Hold a post that is to be written.

    Attributes:
        id: Snowflake id, which holds the time.
        author_id: Who wrote it.
        text: What it says.
        key: Idempotency key of the request, unique per author; None writes unconditionally.
        fingerprint: Of the request that the key stands for.
    """

    id: int
    author_id: int
    text: str
    key: str | None = None
    fingerprint: bytes = b""


class Published(NamedTuple):
    """Say what a post became.

    Attributes:
        id: Its id, or the id of the post that the same key wrote before.
        author: Name of its author.
        same: Whether the request is the one that the key stood for.
    """

    id: int
    author: str
    same: bool = True


class User(NamedTuple):
    """Hold what everybody may know of a user.

    Attributes:
        id: Dense positive number.
        name: Unique.
        created_at: When the user signed up (Unix s).
    """

    id: int
    name: str
    created_at: float


class StoredPost(NamedTuple):
    """Hold a post as the record has it.

    Attributes:
        id: Snowflake id, which holds the time.
        author: Name of its author.
        text: What it says.
    """

    id: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Say which record this is.

    Attributes:
        id: Unique to this database.
        secret: Signs its tokens and cursors.
    """

    id: UUID
    secret: bytes
