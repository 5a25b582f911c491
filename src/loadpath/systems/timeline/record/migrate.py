"""Bring a database to this code's schema: numbered SQL files, each applied once, in order.

Every file runs in its own transaction together with the row that remembers it, under one advisory
lock, so it is safe to run twice and from several processes at once. A file that changed after it
was applied, or a schema newer than this code, is an error and changes nothing.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg

from loadpath.core.errors import LoadpathError

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_LOCK = 7_236_270_102  # any number that no other user of the database locks


class MigrationError(LoadpathError, RuntimeError):
    """Report a schema that this code cannot bring to its own version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Hold one step of the schema.

    Attributes:
        version: Place in the order, from 1.
        name: What it does, in a word.
        sql: The statements.
        checksum: SHA-256 of the statements (hex).
    """

    version: int
    name: str
    sql: str
    checksum: str = field(init=False)

    def __post_init__(self) -> None:
        checksum = hashlib.sha256(self.sql.encode()).hexdigest()
        object.__setattr__(self, "checksum", checksum)

    def __str__(self) -> str:
        return f"{self.version:04d}_{self.name}"


def shipped() -> list[Migration]:
    """Return the migrations of this package, oldest first."""
    return read(resources.files(__package__) / "migrations")


def read(folder: Traversable) -> list[Migration]:
    """Return the migrations in a folder of `NNNN_name.sql` files, oldest first.

    Raises:
        ValueError: The numbers do not run 1, 2, 3, …
    """
    found = [
        Migration(version=int(match[1]), name=match[2], sql=entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3, …: {[str(m) for m in found]}")
    return found


def pending(migrations: Sequence[Migration], applied: Sequence[tuple[int, str]]) -> list[Migration]:
    """Return the migrations still to apply, oldest first.

    Args:
        migrations: What this code brings, oldest first.
        applied: Version and checksum of what the database had, oldest first.

    Raises:
        MigrationError: The database is newer than the code, or a migration was changed after it
            was applied.
    """
    for version, checksum in applied:
        if version > len(migrations):
            raise MigrationError(
                f"the record's schema has version {version}, this code knows {len(migrations)}: "
                "run a newer loadpath, or use another database"
            )
        if checksum != migrations[version - 1].checksum:
            raise MigrationError(
                f"migration {migrations[version - 1]} was changed after it was applied: "
                "restore the file, and put the change into a new migration"
            )
    return list(migrations[len(applied) :])


async def migrate(
    connection: asyncpg.Connection, migrations: Sequence[Migration]
) -> list[Migration]:
    """Apply what is missing and return it; another process that does the same waits its turn.

    Raises:
        MigrationError: The schema is newer than this code, or a migration was changed.
        asyncpg.PostgresError: A statement failed; that migration left nothing behind.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        missing = pending(migrations, await _applied(connection))
        for migration in missing:
            await _apply(connection, migration)
        return missing
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _applied(connection: asyncpg.Connection) -> list[tuple[int, str]]:
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version    integer PRIMARY KEY,
            name       text NOT NULL,
            checksum   text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    rows = await connection.fetch(
        "SELECT version, checksum FROM schema_migrations ORDER BY version"
    )
    return [(row["version"], row["checksum"]) for row in rows]


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.checksum,
        )
