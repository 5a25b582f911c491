"""A script goes by its digest, and whole only when the server does not know it."""

from hashlib import sha1
from typing import Any

import pytest

from loadpath.resp import CommandError, NoScriptError, Script, run_script


class Server:
    """Answer scripts as a server that may not know them yet."""

    def __init__(self, *, fails: bool = False) -> None:
        self.known: set[Any] = set()
        self.heard: list[tuple[Any, ...]] = []
        self._fails = fails

    async def execute(self, *command: Any) -> Any:
        """Run EVALSHA or EVAL."""
        self.heard.append(command)
        if command[0] == "EVALSHA" and command[1] not in self.known:
            raise NoScriptError("NOSCRIPT No matching script.")
        if self._fails:
            raise CommandError("ERR the script failed")
        self.known.add(sha1(str(command[1]).encode(), usedforsecurity=False).hexdigest())
        return command[2:]


async def test_an_unknown_script_is_sent_whole_once() -> None:
    """Afterwards its digest is enough."""
    server, script = Server(), Script("return 1")
    for _ in range(2):
        assert await run_script(server, script, ["k"], ["a", "b"]) == (1, "k", "a", "b")
    assert [command[0] for command in server.heard] == ["EVALSHA", "EVAL", "EVALSHA"]


async def test_a_script_that_fails_is_not_sent_again() -> None:
    """Only a script that was not run may be repeated."""
    server, script = Server(fails=True), Script("return 1")
    server.known.add(script.digest)
    with pytest.raises(CommandError, match="failed"):
        await run_script(server, script)
    assert len(server.heard) == 1


def test_an_empty_script_is_refused() -> None:
    """It would be an error on every call."""
    with pytest.raises(ValueError, match="source"):
        Script("  ")
