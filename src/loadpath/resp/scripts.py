"""Lua on the server: sent by its digest, and whole only when the server does not know it.

A script that the server does not know was not run, so sending it again whole is safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1

from loadpath.resp.commands import Commands
from loadpath.resp.encoding import Argument
from loadpath.resp.errors import NoScriptError
from loadpath.resp.replies import Reply


@dataclass(frozen=True, slots=True)
class Script:
    """Hold a Lua script and its digest.

    Attributes:
        source: The script.
        digest: SHA-1 of the source (hex), by which the server remembers it.
    """

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ValueError("source must not be empty")
        digest = sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


async def run_script(
    commands: Commands,
    script: Script,
    keys: Sequence[Argument] = (),
    arguments: Sequence[Argument] = (),
) -> Reply:
    """Run a script and return its reply.

    Args:
        commands: Where to run it.
        script: What to run.
        keys: The keys that it touches; in a cluster all of one slot.
        arguments: What else it is given.

    Raises:
        CommandError: The script failed; writes before the failure stay.
        ReplyLostError: It may have run.
        RejectedError: It was not run.
    """
    try:
        return await commands.execute("EVALSHA", script.digest, len(keys), *keys, *arguments)
    except NoScriptError:
        return await commands.execute("EVAL", script.source, len(keys), *keys, *arguments)
