"""What the server answers, in Python: bytes, int, float, bool, None, list and dict.

An error becomes the exception that says what it means; one inside an array stays there, as a value.

Source: RESP3 specification (Redis, 2018); error codes of Valkey and Redis.
"""

from typing import Any, TypeAlias

from loadpath.resp.errors import (
    AskError,
    CommandError,
    LoadingError,
    MovedError,
    NoScriptError,
    NotAllowedError,
    ReadOnlyError,
    ServerBusyError,
)

Reply: TypeAlias = Any
"""bytes, int, float, bool, None, a list or dict of them; a big number is its digits in bytes."""

BY_CODE: dict[str, type[CommandError]] = {
    "ASK": AskError,
    "BUSY": ServerBusyError,
    "CLUSTERDOWN": ServerBusyError,
    "LOADING": LoadingError,
    "MASTERDOWN": ServerBusyError,
    "MOVED": MovedError,
    "NOAUTH": NotAllowedError,
    "NOPERM": NotAllowedError,
    "NOREPLICAS": ServerBusyError,
    "NOSCRIPT": NoScriptError,
    "READONLY": ReadOnlyError,
    "TRYAGAIN": ServerBusyError,
    "WRONGPASS": NotAllowedError,
}


def error_of(message: str) -> CommandError:
    """Return the exception for an error reply, such as `WRONGTYPE Operation against a key …`."""
    kind = BY_CODE.get(message.partition(" ")[0], CommandError)
    try:
        return kind(message)
    except ValueError:  # says MOVED without saying where
        return CommandError(message)
