"""The same commands through redis-py: for Sentinel, Cluster, or a client that exists already.

redis-py repeats a command whose reply was lost as often as its client is set to, and does not tell
a command that was not sent from one in doubt: every lost connection counts as in doubt here.
"""

from typing import Any

from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from loadpath.resp.encoding import Argument, encode
from loadpath.resp.errors import CommandError, ReplyLostError
from loadpath.resp.replies import Reply, error_of

# redis-py takes the code away from the errors that it knows.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AskError, ""),
    (exceptions.MovedError, ""),
    (exceptions.NoScriptError, "NOSCRIPT"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.TryAgainError, "TRYAGAIN"),
    (exceptions.MasterDownError, "MASTERDOWN"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.AuthenticationError, "WRONGPASS"),
)


class RedisCommands:
    """Run commands through a client that was handed in and stays the caller's.

    Args:
        client: A redis-py asyncio client, of one server, of Sentinel (`master_for`) or of Cluster;
            without `decode_responses`.
    """

    def __init__(self, client: "Redis | RedisCluster") -> None:
        if client.get_encoder().decode_responses:
            raise ValueError("client must not decode responses: leave decode_responses out")
        self._client: Any = client

    async def execute(self, *command: Argument) -> Reply:
        """Run one command and return its reply.

        Raises:
            CommandError: The server answered with an error.
            ReplyLostError: The connection was lost, or could not be made.
            ValueError: The command is not for a shared connection; says what to do instead.
            TypeError: An argument is neither bytes, str, int nor float.
        """
        encode(command)  # refuses what a shared connection does not carry
        try:
            return await self._client.execute_command(*map(_plain, command))
        except (exceptions.RedisError, OSError) as error:
            raise _ours(error) from error


def _plain(argument: Argument) -> Argument:
    return bytes(argument) if isinstance(argument, bytearray) else argument


def _ours(error: Exception) -> Exception:
    for kind, code in _CODES:
        if isinstance(error, kind):
            return error_of(f"{code} {error}".strip())
    if isinstance(error, exceptions.ResponseError):
        return CommandError(str(error))
    return ReplyLostError(f"no reply: {error}")
