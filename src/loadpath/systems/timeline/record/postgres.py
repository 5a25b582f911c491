"""The record in PostgreSQL: users, posts, follows, and the log that fan-out tails.

A post is one statement, hence one transaction: the post, its idempotency key and its outbox event
are there together or not at all. Every failure says what became of the work:

RecordError
├── RecordUnavailableError (RejectedError, ConnectionError)  nothing happened; try again later
├── RecordInDoubtError (InDoubtError, ConnectionError)       sent, and never answered
└── RecordRefusedError (ValueError)                          the record will never take this
    ├── NameTakenError
    ├── UnknownAuthorError
    └── IdTakenError                                         two nodes drew the same id

Guide: chapter 7.1. The users, tweets and follows of the guide's data model live here; its
timelines do not, because they can be rebuilt from these (see `rings`).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, Self
from uuid import UUID

import asyncpg

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.systems.timeline.record.migrate import migrate, shipped
from loadpath.systems.timeline.record.model import Identity, NewPost, Published, StoredPost, User
from loadpath.systems.timeline.record.outage import FAILURES, is_outage

NEWEST: Final = (1 << 63) - 1
"""No post has a larger id."""

_RETRY_AFTER = 1.0
# The transaction may have committed before the connection went.
_UNKNOWN_OUTCOME = frozenset({"08", "57", "58"})


class RecordError(LoadpathError):
    """Report that the record did not do, or may not have done, what was asked."""


class RecordUnavailableError(RecordError, RejectedError, ConnectionError):
    """Report that nothing happened, because PostgreSQL cannot be reached or is busy.

    Attributes:
        retry_after: Seconds until trying again makes sense.
    """


class RecordInDoubtError(RecordError, InDoubtError, ConnectionError):
    """Report that the work was sent and never answered: it may have committed or not."""


class RecordRefusedError(RecordError, ValueError):
    """Report work that breaks a rule of the record; nothing of it happened."""


class NameTakenError(RecordRefusedError):
    """Refuse a user name that somebody has."""


class UnknownAuthorError(RecordRefusedError):
    """Refuse a post by a user who does not exist."""


class IdTakenError(RecordRefusedError):
    """Refuse a post whose id another post has: two processes drew ids as the same node."""


# The keys are claimed in one order everywhere, so that two transactions never wait for each other.
_PUBLISH = """
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::bytea[])
        AS input (id, author_id, text, key, fingerprint)
), claimed AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, post_id)
    SELECT author_id, key, fingerprint, id FROM input WHERE key IS NOT NULL ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    RETURNING post_id
), written AS (
    INSERT INTO posts (id, author_id, text)
    SELECT id, author_id, text FROM input
    WHERE key IS NULL OR id IN (SELECT post_id FROM claimed)
    RETURNING id, author_id
), logged AS (
    INSERT INTO outbox (kind, actor_id, subject_id)
    SELECT 1, author_id, id FROM written ORDER BY id
)
SELECT written.id, users.name FROM written JOIN users ON users.id = written.author_id
"""

_BY_KEY = """
SELECT input.n, keys.post_id, keys.fingerprint, users.name
FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY AS input (user_id, key, n)
JOIN idempotency_keys AS keys USING (user_id, key)
JOIN users ON users.id = keys.user_id
"""

_POSTS = """
SELECT posts.id, users.name, posts.text
FROM posts JOIN users ON users.id = posts.author_id WHERE posts.id = ANY($1::bigint[])
"""

_WRITTEN = """
SELECT posts.id, posts.author_id, users.name, posts.text
FROM posts JOIN users ON users.id = posts.author_id WHERE posts.id = ANY($1::bigint[])
"""

_POSTS_BY = """
SELECT posts.id, users.name, posts.text
FROM posts JOIN users ON users.id = posts.author_id
WHERE posts.author_id = $1 AND posts.id < $2 ORDER BY posts.id DESC LIMIT $3
"""

# One short index scan per followee; a plain join would read all their posts.
_HOME = """
SELECT newest.id
FROM follows CROSS JOIN LATERAL (
    SELECT posts.id FROM posts
    WHERE posts.author_id = follows.followee_id AND posts.id < $2
    ORDER BY posts.id DESC LIMIT $3
) AS newest
WHERE follows.follower_id = $1 ORDER BY newest.id DESC LIMIT $3
"""

_FOLLOW = """
WITH changed AS (
    INSERT INTO follows (follower_id, followee_id) VALUES ($1, $2)
    ON CONFLICT DO NOTHING RETURNING 1
)
INSERT INTO outbox (kind, actor_id, subject_id) SELECT 2, $1, $2 FROM changed
"""

_UNFOLLOW = """
WITH changed AS (
    DELETE FROM follows WHERE follower_id = $1 AND followee_id = $2 RETURNING 1
)
INSERT INTO outbox (kind, actor_id, subject_id) SELECT 3, $1, $2 FROM changed
"""

_FORGET_KEYS = """
WITH old AS (
    SELECT user_id, key FROM idempotency_keys
    WHERE created_at < now() - make_interval(secs => $1)
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys AS keys USING old
WHERE keys.user_id = old.user_id AND keys.key = old.key
"""


class Record:
    """Read and write the record over a bounded pool of connections.

    Make one with `Record.open`.

    Attributes:
        identity: Which record this is.
        node: This process's node number for Snowflake ids, 0-1023.
        newest: The largest post id when the record was opened, 0 when there was none.
    """

    def __init__(
        self, pool: asyncpg.Pool, identity: Identity, *, node: int, newest: int, patience: float
    ) -> None:
        self._pool = pool
        self._patience = patience
        self.identity = identity
        self.node = node
        self.newest = newest

    @classmethod
    @asynccontextmanager
    async def open(
        cls, dsn: str, *, connections: int = 8, patience: float = 5.0
    ) -> AsyncIterator[Self]:
        """Bring the schema up to date and give the record until the block ends.

        Args:
            dsn: Where PostgreSQL is.
            connections: Size of the pool.
            patience: Seconds that one statement, or waiting for a connection, may take.

        Raises:
            RecordUnavailableError: PostgreSQL cannot be reached.
            MigrationError: The schema is newer than this code, or a migration was changed.
        """
        if connections < 1:
            raise ValueError(f"connections must be at least 1, not {connections}")
        if not patience > 0:
            raise ValueError(f"patience must be above 0 s, not {patience}")
        migrations = await asyncio.to_thread(shipped)
        with _before_sending():
            connection = await asyncpg.connect(dsn, timeout=patience)
            try:
                await migrate(connection, migrations)
                identity = await connection.fetchrow("SELECT id, secret FROM record_identity")
                node = await connection.fetchval("SELECT nextval('node_numbers')")
                newest = await connection.fetchval("SELECT coalesce(max(id), 0) FROM posts")
            finally:
                await connection.close(timeout=patience)
            pool = asyncpg.create_pool(
                dsn,
                min_size=0,
                max_size=connections,
                max_inactive_connection_lifetime=0,
                timeout=patience,
                command_timeout=patience,
                reset=_nothing_to_reset,
                server_settings={
                    "application_name": "loadpath timeline",
                    "jit": "off",
                    "statement_timeout": str(int(patience * 1000)),
                },
            )
            await pool
        assert identity is not None
        record = cls(
            pool,
            Identity(UUID(bytes=identity["id"].bytes), identity["secret"]),
            node=node,
            newest=newest,
            patience=patience,
        )
        try:
            yield record
        finally:
            await _close(pool, patience)

    async def ping(self) -> None:
        """Return when PostgreSQL has answered.

        Raises:
            RecordUnavailableError: It did not.
        """
        await self._read("SELECT 1")

    async def create_user(self, name: str, password_hash: str | None) -> User:
        """Add a user; without a password hash, nobody can log in as this user.

        Raises:
            NameTakenError: Somebody has the name.
            RecordRefusedError: The name is not 1-32 of a-z, 0-9 and _.
            RecordInDoubtError: The user may have been added.
        """
        try:
            (row,) = await self._write(
                "INSERT INTO users (name, password_hash) VALUES ($1, $2) "
                "RETURNING id, name, extract(epoch FROM created_at)::float8",
                name,
                password_hash,
            )
        except RecordRefusedError as error:
            if isinstance(error.__cause__, asyncpg.UniqueViolationError):
                raise NameTakenError(f"the name {name!r} is taken: choose another") from error
            raise
        return User(*row)

    async def user(self, name: str) -> User | None:
        """Return the user with this name, None when nobody has it."""
        rows = await self._read(
            "SELECT id, name, extract(epoch FROM created_at)::float8 FROM users WHERE name = $1",
            name,
        )
        return User(*rows[0]) if rows else None

    async def password_hash(self, name: str) -> tuple[int, str] | None:
        """Return id and password hash of a user, None when nobody can log in by this name."""
        rows = await self._read(
            "SELECT id, password_hash FROM users WHERE name = $1 AND password_hash IS NOT NULL",
            name,
        )
        return (rows[0][0], rows[0][1]) if rows else None

    async def publish(self, posts: Sequence[NewPost]) -> list[Published]:
        """Write posts in one transaction; return what each became, in the same order.

        A post whose key was used before is not written again. Publishing the same posts (with
        the same ids) once more is safe, so whoever is in doubt may repeat.

        Raises:
            RecordUnavailableError: None was written.
            RecordInDoubtError: All may have been written, or none.
            UnknownAuthorError: None was written; an author does not exist.
            IdTakenError: None was written; an id belongs to another post.
            RecordRefusedError: None was written; one of them breaks another rule.
        """
        try:
            return await self._publish(posts)
        except RecordRefusedError as error:
            if isinstance(error.__cause__, asyncpg.ForeignKeyViolationError):
                raise UnknownAuthorError("an author of these posts does not exist") from error
            if not isinstance(error.__cause__, asyncpg.UniqueViolationError):
                raise
        done = await self._already_written(posts)
        rest = [post for post in posts if post.id not in done]
        try:
            written = await self._publish(rest)
        except RecordUnavailableError as error:
            raise RecordInDoubtError(f"some of the posts are written, but {error}") from error
        done |= {post.id: out for post, out in zip(rest, written, strict=True)}
        return [done[post.id] for post in posts]

    async def _publish(self, posts: Sequence[NewPost]) -> list[Published]:
        rows = await self._write(
            _PUBLISH,
            [post.id for post in posts],
            [post.author_id for post in posts],
            [post.text for post in posts],
            [post.key for post in posts],
            [post.fingerprint for post in posts],
        )
        names: dict[int, str] = {row[0]: row[1] for row in rows}
        if len(names) == len(posts):
            return [Published(post.id, names[post.id]) for post in posts]
        try:
            earlier = await self._by_key([post for post in posts if post.id not in names])
        except RecordUnavailableError as error:
            raise RecordInDoubtError(f"the posts were sent, but {error}") from error
        return [
            Published(post.id, names[post.id]) if post.id in names else earlier[post.id]
            for post in posts
        ]

    async def _by_key(self, posts: Sequence[NewPost]) -> dict[int, Published]:
        """Return what the keys of posts that were not written stand for."""
        rows = await self._read(
            _BY_KEY, [post.author_id for post in posts], [post.key for post in posts]
        )
        found = {posts[n - 1].id: (posts[n - 1], row) for n, *row in rows}
        if len(found) < len(posts):
            raise RecordUnavailableError(
                "an idempotency key expired while its post was written: try again",
                retry_after=_RETRY_AFTER,
            )
        return {
            new: Published(post_id, name, same=fingerprint == post.fingerprint)
            for new, (post, (post_id, fingerprint, name)) in found.items()
        }

    async def _already_written(self, posts: Sequence[NewPost]) -> dict[int, Published]:
        """Return those of the posts that an earlier attempt wrote."""
        rows = await self._read(_WRITTEN, [post.id for post in posts])
        stored = {id_: (author_id, text) for id_, author_id, _, text in rows}
        for post in posts:
            if stored.get(post.id, (post.author_id, post.text)) != (post.author_id, post.text):
                raise IdTakenError(
                    f"the id {post.id} belongs to another post: two processes drew ids as the "
                    "same node; restart one"
                )
        return {id_: Published(id_, author) for id_, _, author, _ in rows}

    async def posts(self, ids: Sequence[int]) -> list[StoredPost]:
        """Return the posts with these ids that exist, in no order."""
        return [StoredPost(*row) for row in await self._read(_POSTS, ids)]

    async def posts_by(
        self, author_id: int, *, before: int = NEWEST, limit: int
    ) -> list[StoredPost]:
        """Return an author's posts with ids below `before`, newest first."""
        return [StoredPost(*row) for row in await self._read(_POSTS_BY, author_id, before, limit)]

    async def home(self, user_id: int, *, before: int = NEWEST, limit: int) -> list[int]:
        """Return ids below `before` of posts by those whom a user follows, newest first."""
        return [row[0] for row in await self._read(_HOME, user_id, before, limit)]

    async def follows(self, follower_id: int, followee_id: int) -> bool:
        """Return whether one user follows another."""
        rows = await self._read(
            "SELECT 1 FROM follows WHERE follower_id = $1 AND followee_id = $2",
            follower_id,
            followee_id,
        )
        return bool(rows)

    async def follow(self, follower_id: int, followee_id: int) -> None:
        """Let one user follow another; following twice is following once.

        Raises:
            RecordRefusedError: Nobody follows themselves.
            RecordInDoubtError: It may have happened; doing it again is safe.
        """
        await self._write(_FOLLOW, follower_id, followee_id)

    async def unfollow(self, follower_id: int, followee_id: int) -> None:
        """End that one user follows another; a no-op for strangers.

        Raises:
            RecordInDoubtError: It may have happened; doing it again is safe.
        """
        await self._write(_UNFOLLOW, follower_id, followee_id)

    async def forget_keys(self, *, older_than: float = 86_400.0, limit: int = 1_000) -> int:
        """Delete idempotency keys in one bounded step and return how many.

        Args:
            older_than: Age (s) from which a key may go.
            limit: Most keys deleted in this step.
        """
        with _may_have_committed():
            async with self._acquire() as connection:
                tag = await connection.execute(_FORGET_KEYS, older_than, limit)
        return int(tag.split()[-1])

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        with _before_sending():
            connection = await self._pool.acquire(timeout=self._patience)
        try:
            yield connection
        except (RecordUnavailableError, RecordInDoubtError):
            # Whatever state it is in, the next caller gets a fresh one.
            with suppress(asyncpg.InterfaceError):  # the pool has taken a lost one back already
                connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    async def _read(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._acquire() as connection:
            with _before_sending():
                return await connection.fetch(sql, *arguments)

    async def _write(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._acquire() as connection:
            with _may_have_committed():
                return await connection.fetch(sql, *arguments)


async def _nothing_to_reset(_connection: asyncpg.Connection) -> None:
    """Save a round trip at each release: no statement here changes its session."""


async def _close(pool: asyncpg.Pool, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await pool.close()
    except FAILURES:
        pool.terminate()


@contextmanager
def _before_sending() -> Iterator[None]:
    """Translate the driver's errors where nothing can have changed."""
    try:
        yield
    except FAILURES as error:
        if is_outage(error):
            raise RecordUnavailableError(
                f"PostgreSQL does not answer ({_brief(error)}): try again",
                retry_after=_RETRY_AFTER,
            ) from error
        raise RecordRefusedError(f"PostgreSQL refused: {_brief(error)}") from error


@contextmanager
def _may_have_committed() -> Iterator[None]:
    """Translate the driver's errors where the work was sent."""
    try:
        yield
    except FAILURES as error:
        if not is_outage(error):
            raise RecordRefusedError(f"PostgreSQL refused: {_brief(error)}") from error
        if _sqlstate(error)[:2] in _UNKNOWN_OUTCOME:
            raise RecordInDoubtError(
                f"PostgreSQL was sent the work and did not answer ({_brief(error)}): it may have "
                "committed"
            ) from error
        raise RecordUnavailableError(
            f"PostgreSQL could not do it now ({_brief(error)}): try again",
            retry_after=_RETRY_AFTER,
        ) from error


def _sqlstate(error: Exception) -> str:
    """Return the error's SQLSTATE; a lost connection counts as 08, connection exception."""
    return getattr(error, "sqlstate", None) or "08000"


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
