"""Fencing in PostgreSQL: by a column of the row that is written.

`fenced_update` compares in the statement itself. `fence_trigger` guards a table against statements
that do not compare: those of an ORM, or of somebody in a hurry.
"""

import re
from collections.abc import Mapping
from typing import Any

from loadpath.lock.errors import StaleTokenError
from loadpath.lock.extras import asyncpg

SETTING = "loadpath.fencing_token"
SQLSTATE = "LP001"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


async def fenced_update(
    connection: asyncpg.Connection,
    table: str,
    *,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    token: int,
    column: str = "fence",
) -> None:
    """Write to one row on behalf of a holder, unless a newer lease was here.

    Runs `UPDATE table SET …, fence = token WHERE key AND fence <= token`: the holder itself may
    write again.

    Args:
        connection: Where to; in a transaction of the caller's, if it likes.
        table: The table, perhaps with its schema.
        key: Columns and values that name the row.
        values: What to write.
        token: The holder's fencing token.
        column: The `bigint NOT NULL DEFAULT 0` that remembers the newest token.

    Raises:
        StaleTokenError: Nothing was written.
        LookupError: There is no such row.
        ValueError: A name is no plain identifier.
    """
    statement = update_statement(table, list(key), list(values), column=column)
    done = await connection.execute(statement, *values.values(), *key.values(), token)
    if done != "UPDATE 0":
        return
    where = " AND ".join(f"{name} = ${n}" for n, name in enumerate(_names(key), 1))
    query = f"SELECT {column} FROM {_table(table)} WHERE {where}"  # noqa: S608 - checked names
    newest = await connection.fetchval(query, *key.values())
    if newest is None:
        raise LookupError(f"{table} has no row with {dict(key)}")
    raise StaleTokenError(table, token, newest)


def update_statement(
    table: str, key: list[str], values: list[str], *, column: str = "fence"
) -> str:
    """Return the guarded UPDATE; parameters are the values, the key, and last the token.

    Raises:
        ValueError: A name is no plain identifier.
    """
    if not key or not values:
        raise ValueError("key and values must name at least one column each")
    token = len(values) + len(key) + 1
    setting = [f"{name} = ${n}" for n, name in enumerate(_names(values), 1)]
    where = [f"{name} = ${n}" for n, name in enumerate(_names(key), len(values) + 1)]
    (fence,) = _names([column])
    changes = ", ".join([*setting, f"{fence} = ${token}"])
    condition = " AND ".join([*where, f"{fence} <= ${token}"])
    return f"UPDATE {_table(table)} SET {changes} WHERE {condition}"  # noqa: S608 - checked names


def fence_trigger(table: str, *, column: str = "fence") -> str:
    """Return the SQL that adds the column to a table and guards it; safe to run again.

    From then on a row is written only in a transaction that said `SELECT
    set_config('loadpath.fencing_token', '…', true)` with a token that is not older than the row's;
    anything else fails with SQLSTATE LP001. A setting of the transaction passes every pooler.

    Raises:
        ValueError: A name is no plain identifier.
    """
    (fence,) = _names([column])
    name = f"{_table(table).rpartition('.')[2]}_fenced"
    return f"""
ALTER TABLE {_table(table)} ADD COLUMN IF NOT EXISTS {fence} bigint NOT NULL DEFAULT 0;
CREATE OR REPLACE FUNCTION {_schema(table)}{name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    token bigint := nullif(current_setting('{SETTING}', true), '')::bigint;
BEGIN
    IF token IS NULL THEN
        RAISE EXCEPTION 'no fencing token: set {SETTING} in this transaction'
            USING ERRCODE = '{SQLSTATE}';
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.{fence} > token THEN
        RAISE EXCEPTION 'token % is out of date, % was here', token, OLD.{fence}
            USING ERRCODE = '{SQLSTATE}';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.{fence} := token;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {_table(table)}
    FOR EACH ROW EXECUTE FUNCTION {_schema(table)}{name}();
"""


def _names(names: Mapping[str, Any] | list[str]) -> list[str]:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no plain column name (letters, digits, underscores)")
    return list(names)


def _table(table: str) -> str:
    if not all(_NAME.fullmatch(part) for part in table.split(".")):
        raise ValueError(f"{table!r} is no plain table name (letters, digits, underscores, a dot)")
    return table


def _schema(table: str) -> str:
    schema, dot, _ = _table(table).rpartition(".")
    return schema + dot
