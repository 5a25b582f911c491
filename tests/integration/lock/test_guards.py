"""Resources that refuse the holder of an older lease, on real servers."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from loadpath.local import Postgres
from loadpath.lock import StaleTokenError
from loadpath.lock.fence_postgres import SETTING, SQLSTATE, fence_trigger, fenced_update
from loadpath.lock.fence_redis import fence_of, fenced
from loadpath.resp import CommandError, RespClient


@pytest.fixture
async def connection(lock_postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection and an empty table."""
    opened = await asyncpg.connect(lock_postgres.dsn)
    try:
        await opened.execute(
            "DROP TABLE IF EXISTS account;"
            "CREATE TABLE account"
            " (id int PRIMARY KEY, balance int, fence bigint NOT NULL DEFAULT 0)"
        )
        await opened.execute("INSERT INTO account VALUES (1, 10)")
        yield opened
    finally:
        await opened.close()


async def write(connection: asyncpg.Connection, token: int, balance: int) -> None:
    """Write as the holder with a token does."""
    await fenced_update(
        connection, "account", key={"id": 1}, values={"balance": balance}, token=token
    )


async def test_a_row_takes_a_holder_twice_and_an_older_one_never(
    connection: asyncpg.Connection,
) -> None:
    """The refusal says which token was there."""
    for token in (5, 5, 8):
        await write(connection, token, token)
    with pytest.raises(StaleTokenError, match="8 was here") as stale:
        await write(connection, 7, 70)
    assert (stale.value.token, stale.value.newest) == (7, 8)
    assert await connection.fetchval("SELECT balance FROM account") == 8


async def test_a_row_that_is_not_there_is_no_stale_token(connection: asyncpg.Connection) -> None:
    """The caller learns which of both it is."""
    with pytest.raises(LookupError, match="account has no row"):
        await fenced_update(connection, "account", key={"id": 2}, values={"balance": 1}, token=5)


async def test_a_trigger_guards_what_does_not_compare(connection: asyncpg.Connection) -> None:
    """UPDATE, INSERT and DELETE of others need a token, and a new one."""
    await connection.execute(fence_trigger("account"))
    await connection.execute(fence_trigger("account"))

    async def as_holder(token: int, statement: str) -> None:
        async with connection.transaction():
            await connection.execute("SELECT set_config($1, $2, true)", SETTING, str(token))
            await connection.execute(statement)

    with pytest.raises(asyncpg.PostgresError, match="no fencing token") as without:
        await connection.execute("UPDATE account SET balance = 0")
    assert without.value.sqlstate == SQLSTATE
    await as_holder(5, "UPDATE account SET balance = 5")
    await as_holder(5, "UPDATE account SET balance = 6")
    for statement in ("UPDATE account SET balance = 4", "DELETE FROM account"):
        with pytest.raises(asyncpg.PostgresError, match="4 is out of date, 5 was here") as stale:
            await as_holder(4, statement)
        assert stale.value.sqlstate == SQLSTATE
    await as_holder(6, "INSERT INTO account VALUES (2, 20)")
    assert await connection.fetchval("SELECT fence FROM account WHERE id = 2") == 6
    await as_holder(6, "DELETE FROM account")
    assert await connection.fetchval("SELECT count(*) FROM account") == 0


async def test_a_key_takes_a_holder_twice_and_an_older_one_never(client: RespClient) -> None:
    """The command is run or refused as one."""
    assert await fenced(client, "r", 5, "SET", "r", "a") == b"OK"
    assert await fenced(client, "r", 5, "APPEND", "r", "b") == 2
    assert await fenced(client, "r", 8, "INCRBY", "n", 3) == 3
    with pytest.raises(StaleTokenError, match="8 was here"):
        await fenced(client, "r", 7, "SET", "r", "old")
    assert await client.execute("GET", "r") == b"ab"


async def test_real_tokens_are_compared_exactly(client: RespClient) -> None:
    """Two of them that differ by one are two, at the size that they have."""
    token = 1_795_576_484_901_137
    await fenced(client, "r", token, "SET", "r", "a")
    with pytest.raises(StaleTokenError) as stale:
        await fenced(client, "r", token - 1, "SET", "r", "b")
    assert stale.value.newest == token


async def test_the_servers_own_errors_stay_its_own(client: RespClient) -> None:
    """A wrong command is no stale token."""
    await client.execute("SET", "r", "text")
    with pytest.raises(CommandError, match="wrong kind of value"):
        await fenced(client, "r", 5, "LPUSH", "r", "x")
    with pytest.raises(ValueError, match="token above 0"):
        await fenced(client, "r", 0, "SET", "r", "x")


@pytest.mark.parametrize(
    ("resource", "fence"),
    [
        ("user:1", "{user:1}:fence"),
        ("{user:1}:profile", "{user:1}:profile:fence"),
        ("{}x", "{{}x}:fence"),
    ],
)
async def test_a_fence_is_in_the_slot_of_its_resource(
    client: RespClient, resource: str, fence: str
) -> None:
    """So that a cluster runs both in one script."""
    assert fence_of(resource) == fence
    if resource != "{}x":
        slots = [await client.execute("CLUSTER", "KEYSLOT", name) for name in (resource, fence)]
        assert slots[0] == slots[1]
