"""Commands whose callers were cancelled go on, and what undoes them waits."""

import asyncio

import pytest

from loadpath.resp import unfinished
from loadpath.resp.unfinished import Unfinished, key_of


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("SET", b"k", 1), "k"),
        (("EVALSHA", "digest", 2, "k", "k:token"), "k"),
        (("EVAL", "return 1", 0), ""),
        (("PING",), ""),
        (("DEL", b"\xff"), "\ufffd"),
    ],
)
def test_the_first_key_orders_commands(command: tuple[str | bytes | int, ...], key: str) -> None:
    """Of a script it stands behind the digest."""
    assert key_of(command) == key


async def test_a_later_command_waits_for_one_that_was_cancelled() -> None:
    """Those of other keys do not; an error that nobody hears is no report."""
    going_on = Unfinished()
    answered = asyncio.Event()

    async def command() -> None:
        await answered.wait()
        raise ZeroDivisionError

    task = asyncio.create_task(command())
    caller = asyncio.create_task(going_on.run("k", task))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert caller.cancelled()
    await going_on.before("other")
    later = asyncio.create_task(going_on.before("k"))
    await asyncio.sleep(0.01)
    assert not later.done()
    answered.set()
    await later
    await going_on.before("k")


async def test_only_so_many_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is cancelled with its callers."""
    monkeypatch.setattr(unfinished, "MOST", 2)
    going_on = Unfinished()
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(3)]
    for task in tasks:
        going_on.leave("k", task)
    await asyncio.sleep(0)
    assert [task.cancelled() for task in tasks] == [False, False, True]
    for task in tasks:
        task.cancel()
    await going_on.before("k")
