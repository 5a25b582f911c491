"""Import what comes with the `lock` extra, or say so."""

from loadpath.lock.errors import ExtraMissingError

try:
    import asyncpg
except ModuleNotFoundError as error:
    raise ExtraMissingError from error

__all__ = ["asyncpg"]
