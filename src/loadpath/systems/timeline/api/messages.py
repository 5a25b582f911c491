"""What travels over HTTP: one type per body, read and written by msgspec, shown by OpenAPI."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from loadpath.core.ids import timestamp_of
from loadpath.systems.timeline.record.model import StoredPost, User

LONGEST_TEXT = 280
LONGEST_INPUT = 4 * LONGEST_TEXT
"""Characters from which a text can be composed into one that is short enough: composing joins four
at most (a Hangul syllable of three, a letter with two marks or three)."""
_BIDIRECTIONAL_CONTROLS = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))

# In Python `$` also matches before a last newline; in JSON Schema the addition changes nothing.
END = r"$(?!\n)"

UserName = Annotated[
    str, Meta(pattern="^[a-z0-9_]{1,32}" + END, description="1-32 of a-z, 0-9 and _.")
]
Password = Annotated[str, Meta(min_length=8, max_length=128, description="8-128 characters.")]
Text = Annotated[
    str,
    Meta(
        description=f"1-{LONGEST_TEXT} characters in Unicode's composed form (NFC); "
        "at least one that can be seen, and of the control characters only the newline.",
        extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT},
    ),
]
PostId = Annotated[
    str, Meta(pattern="^[0-9]{1,19}" + END, description="Sorts by time as a number.")
]
Cursor = Annotated[str, Meta(description="Opaque: `next_cursor` of the page before.")]


class _Incoming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refuse fields that mean nothing here."""


class NewUser(_Incoming, frozen=True, kw_only=True):
    """Ask for an account."""

    name: UserName
    password: Password


class Credentials(_Incoming, frozen=True, kw_only=True):
    """Say who signs in."""

    name: UserName
    password: Password


class PostText(_Incoming, frozen=True, kw_only=True):
    """Say what to post."""

    text: Text


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """Show a user.

    Attributes:
        name: Unique.
        created_at: When the user signed up.
        followed: Whether the reader follows this user; null for a reader without a token.
    """

    name: UserName
    created_at: datetime
    followed: bool | None = None

    @classmethod
    def of(cls, user: User, *, followed: bool | None = None) -> "UserView":
        """Show what the record has."""
        created_at = datetime.fromtimestamp(user.created_at, UTC)
        return cls(name=user.name, created_at=created_at, followed=followed)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Give a bearer token.

    Attributes:
        token: Goes into `Authorization: Bearer …`.
        expires_in: Seconds.
        user: Whose it is.
    """

    token: str
    expires_in: float
    user: UserName


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Show a post.

    Attributes:
        id: A string, because JavaScript's numbers end at 53 bits.
        author: Name of who wrote it.
        text: What it says.
        created_at: When.
    """

    id: PostId
    author: UserName
    text: Text
    created_at: datetime

    @classmethod
    def of(cls, post: StoredPost) -> "Post":
        """Show what the record has."""
        created_at = datetime.fromtimestamp(timestamp_of(post.id), UTC)
        return cls(id=str(post.id), author=post.author, text=post.text, created_at=created_at)


class PostPage(msgspec.Struct, frozen=True, kw_only=True):
    """Show some posts, newest first.

    Attributes:
        posts: At most `limit`.
        next_cursor: Opens the next page, null on the last.
    """

    posts: list[Post]
    next_cursor: Cursor | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Say that the process lives."""

    status: str = "ok"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Say what this process can reach.

    Attributes:
        record: PostgreSQL answers.
        rings: Every shard's rings can be read; without them, timelines come from the record.
    """

    record: bool
    rings: bool


def _controls(character: str) -> bool:
    """Return whether a character steers the display instead of being text."""
    category = unicodedata.category(character)
    return (
        (category == "Cc" and character != "\n")
        or category in {"Zl", "Zp"}
        or character in _BIDIRECTIONAL_CONTROLS
    )


def composed(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), which is how it is stored.

    Raises:
        ValueError: It is empty, too long, shows nothing, or has control characters.
    """
    if len(text) <= LONGEST_INPUT:  # composing takes quadratic time
        text = unicodedata.normalize("NFC", text)
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise ValueError(f"must have 1-{LONGEST_TEXT} characters, not {len(text)}")
    for character in text:
        if _controls(character):
            raise ValueError(
                f"must not contain the control character U+{ord(character):04X}; "
                "of these only the newline is allowed"
            )
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        raise ValueError("must have a character that can be seen")
    return text
