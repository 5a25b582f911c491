"""Who sends the load: some of the users, signed in beforehand, and who follows them."""

from dataclasses import dataclass
from typing import Self

import asyncpg
import numpy as np
from numpy.typing import NDArray

from loadpath.core.errors import LoadpathError
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.load.copying import copied

TOKEN_LIFETIME = 7 * 86_400.0


class EmptyCrowdError(LoadpathError, ValueError):
    """Report a record without users to send load as."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Hold the users who post and read, drawn evenly, so their mean of followers is the graph's.

    Of their followers only those within the crowd are known: that needs an index look-up for each
    member, where all of them would take a scan of the whole graph.

    Attributes:
        users: Their ids.
        tokens: What their bearer tokens are made with.
        follows: Followers of all of them, one author after the other.
        first: Where each user's followers begin in `follows`, one more at the end.
    """

    users: NDArray[np.int64]
    tokens: Tokens
    follows: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    async def gather(cls, dsn: str, *, size: int, seed: int) -> Self:
        """Draw users from the record and read who of them follows whom.

        Args:
            dsn: Where the record is.
            size: Most users to draw.
            seed: Picks one draw.

        Raises:
            EmptyCrowdError: The record has no users.
        """
        connection = await asyncpg.connect(dsn)
        try:
            secret = await connection.fetchval("SELECT secret FROM record_identity")
            last = await connection.fetchval("SELECT max(id) FROM users")
            if last is None:
                raise EmptyCrowdError("the record has no users: build a graph first")
            drawn = np.random.default_rng(seed).permutation(last)[:size] + 1
            rows = await connection.fetch(
                "SELECT id FROM users WHERE id = ANY($1::int[])", drawn.tolist()
            )
            users = np.sort(np.array([row[0] for row in rows], np.int64))
            followees, followers = await copied(
                connection,
                "SELECT followee_id, follower_id FROM follows "
                "WHERE follower_id = ANY($1::int[]) AND followee_id = ANY($1::int[])",
                users.tolist(),
                widths=(4, 4),
            )
        finally:
            connection.terminate()
        order = np.argsort(followees, kind="stable")
        first = np.searchsorted(followees[order], np.append(users, last + 1))
        return cls(users, Tokens(secret), followers[order], first)

    def authorization(self, user: int) -> bytes:
        """Return the header line that signs a request as a user."""
        token = self.tokens.issue(user, lifetime=TOKEN_LIFETIME)
        return f"Authorization: Bearer {token}\r\n".encode()

    def follower(self, index: int, draw: float) -> int | None:
        """Return a member who follows the user at `index`, None when none does.

        Args:
            index: Place in `users`.
            draw: A uniform number that picks the follower (0-1).
        """
        first, end = int(self.first[index]), int(self.first[index + 1])
        if first == end:
            return None
        return int(self.follows[first + int(draw * (end - first))])
