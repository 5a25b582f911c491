"""Fencing in Valkey or Redis: a write and the look at its token are one script."""

import re
from importlib import resources

from loadpath.lock.errors import StaleTokenError
from loadpath.resp import CommandError, Commands, Reply, Script, run_script
from loadpath.resp.encoding import Argument

FENCED = Script((resources.files(__package__) / "lua" / "fenced.lua").read_text("utf-8"))
_STALE = "STALETOKEN"
_TAGGED = re.compile(r"[^{]*\{[^}]+\}")


async def fenced(commands: Commands, resource: str, token: int, *command: Argument) -> Reply:
    """Run a command on behalf of a holder, unless a newer lease was here.

    The newest token is remembered for as long as the data is, under a name in the same slot.

    Args:
        commands: Where to run it.
        resource: What is guarded: the key that the command works on, or a name that guards several
            keys of one slot.
        token: The holder's fencing token.
        command: What to run.

    Raises:
        StaleTokenError: It was not run.
        CommandError: The server refused it.
        ReplyLostError: It may have been run.
    """
    if not resource or not token > 0:
        raise ValueError(f"a resource and a token above 0 are needed: {resource!r}, {token}")
    try:
        return await run_script(commands, FENCED, (fence_of(resource),), (token, *command))
    except CommandError as error:
        if error.code == _STALE:
            raise StaleTokenError(resource, token, int(str(error).split()[1])) from error
        raise


def fence_of(resource: str) -> str:
    """Return the name under which the newest token of a resource is remembered."""
    return f"{resource}:fence" if _TAGGED.match(resource) else f"{{{resource}}}:fence"
