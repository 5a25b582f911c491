"""A process of our own: started, watched, restarted, stopped, never left behind."""

import asyncio
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from loadpath.local import Child, Plan, ServerError, run
from loadpath.local.strays import OWNER_VARIABLE

FOREVER = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('deaf', flush=True); time.sleep(60)"
)


def python(folder: Path, code: str, **changes: object) -> Plan:
    """Plan a Python process."""
    given: dict[str, object] = {
        "name": "child",
        "command": [sys.executable, "-c", code],
        "log": folder / "child.log",
        **changes,
    }
    return Plan(**given)  # type: ignore[arg-type] # what a test changes is its own business


def gone(pid: int) -> bool:
    """Return whether no such process is left, not even a zombie."""
    return not psutil.pid_exists(pid)


async def said(child: Child, text: str) -> bool:
    """Return whether the child has said that."""
    return text in await child.tail()


async def test_runs_and_is_gone_afterwards(tmp_path: Path) -> None:
    """The process lives as long as the block."""
    async with Child(python(tmp_path, FOREVER)) as child:
        pid = child.pid
        assert child.running
        assert psutil.pid_exists(pid)
    assert not child.running
    assert gone(pid)


async def test_keeps_its_process_id_through_the_launcher(tmp_path: Path) -> None:
    """What is signalled is the command itself, not something in front of it."""
    code = "import os; print('I am', os.getpid(), flush=True);" + FOREVER
    child = Child(python(tmp_path, code), ready=lambda: said(child, "I am"))
    async with child:
        assert f"I am {child.pid}" in await child.tail()


async def test_waits_until_it_is_ready(tmp_path: Path) -> None:
    """The block begins when the probe says so, not earlier."""
    code = "import time; time.sleep(0.2); print('ready', flush=True);" + FOREVER
    child = Child(python(tmp_path, code), ready=lambda: said(child, "ready"))
    async with child:
        assert await said(child, "ready")


async def test_an_early_end_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A process that ends while starting raises its status and its own last lines."""
    code = "import sys; print('no such setting: colour'); sys.exit(3)"

    async def never() -> bool:
        return False

    with pytest.raises(ServerError, match=r"status 3.*\n.*\nno such setting: colour") as caught:
        await Child(python(tmp_path, code), ready=never).start()
    assert caught.value.log == "no such setting: colour"
    assert caught.value.server == "child"


async def test_a_process_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    """After the start timeout the process is stopped, and its last lines are told."""

    async def never() -> bool:
        return False

    plan = python(tmp_path, "print('hm', flush=True);" + FOREVER, start_timeout=0.3)
    child = Child(plan, ready=never)
    with pytest.raises(ServerError, match=r"not ready in 0.3 s(.|\n)*hm"):
        await child.start()
    assert gone(child.pid)


async def test_a_broken_probe_ends_the_process(tmp_path: Path) -> None:
    """A probe that raises raises through, and nothing stays."""

    async def broken() -> bool:
        raise ValueError("probe")

    child = Child(python(tmp_path, FOREVER), ready=broken)
    with pytest.raises(ValueError, match="probe"):
        await child.start()
    assert gone(child.pid)


async def test_a_missing_program_is_told(tmp_path: Path) -> None:
    """A command that cannot be run says so."""

    async def never() -> bool:
        return False

    plan = python(tmp_path, "", command=[tmp_path / "none"])
    with pytest.raises(ServerError, match=r"cannot start.*No such file"):
        await Child(plan, ready=never).start()


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A log that cannot be written says so before anything runs."""
    with pytest.raises(ServerError, match="could not be started"):
        await Child(python(tmp_path / "none", FOREVER)).start()


async def test_what_ignores_a_polite_request_is_killed(tmp_path: Path) -> None:
    """After its patience the owner stops asking."""
    plan = python(tmp_path, STUBBORN, stop_signals=((signal.SIGTERM, 0.1),))
    child = Child(plan, ready=lambda: said(child, "deaf"))
    async with child:
        pass
    assert await child.wait() == -signal.SIGKILL
    assert gone(child.pid)


async def test_restart_is_another_process_and_another_log(tmp_path: Path) -> None:
    """After a restart the last words are the new process's."""
    async with Child(python(tmp_path, "import os; print(os.getpid(), flush=True)")) as child:
        first = child.pid
        await child.wait()
        await child.restart()
        await child.wait()
        assert child.pid != first
        assert await child.tail() == str(child.pid)


async def test_an_unexpected_death_is_seen_at_once(tmp_path: Path) -> None:
    """Whoever waits learns of a kill and its signal."""
    async with Child(python(tmp_path, FOREVER)) as child:
        watching = asyncio.create_task(child.wait())
        await asyncio.sleep(0.05)
        assert not watching.done()
        os.kill(child.pid, signal.SIGKILL)
        assert await asyncio.wait_for(watching, 5) == -signal.SIGKILL


async def test_several_may_wait_and_one_may_give_up(tmp_path: Path) -> None:
    """A cancelled watcher does not disturb the others."""
    async with Child(python(tmp_path, FOREVER)) as child:
        given_up, watching = (asyncio.create_task(child.wait()) for _ in range(2))
        await asyncio.sleep(0.01)
        given_up.cancel()
        await child.kill()
        assert await watching == -signal.SIGKILL


async def test_starting_twice_is_refused(tmp_path: Path) -> None:
    """A running child is not started over itself."""
    async with Child(python(tmp_path, FOREVER)) as child:
        with pytest.raises(ServerError, match="runs already"):
            await child.start()


async def test_a_child_that_never_ran_has_no_id(tmp_path: Path) -> None:
    """Asking too early is an error, stopping too early is none."""
    child = Child(python(tmp_path, FOREVER))
    await child.stop()
    with pytest.raises(ServerError, match="never started"):
        _ = child.pid
    with pytest.raises(ServerError, match="never started"):
        await child.wait()


async def test_the_environment_is_ours_plus_and_minus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables can be added and taken away; the owner's folder is named in it."""
    monkeypatch.setenv("INHERITED", "kept")
    monkeypatch.setenv("SECRET", "removed")
    code = "import os; print([os.environ.get(n) for n in ('INHERITED', 'SECRET', 'ADDED')])"
    plan = python(tmp_path, code, env={"SECRET": None, "ADDED": "yes"}, owner_folder=tmp_path)
    assert await run(plan) == "['kept', None, 'yes']"
    assert plan.environment[OWNER_VARIABLE] == str(tmp_path)


async def test_a_loud_child_cannot_fill_the_disk(tmp_path: Path) -> None:
    """The log of a process that never stops talking stays near its limit."""
    code = "import time\nwhile True: print('x' * 1000, flush=True); time.sleep(0.0002)"
    limit = 200_000
    async with Child(python(tmp_path, code, log_limit=limit)) as child:
        sizes = []
        for _ in range(25):
            await asyncio.sleep(0.1)
            sizes.append(await asyncio.to_thread(lambda: child.plan.log.stat().st_size))
    assert any(later < earlier for earlier, later in pairwise(sizes))
    assert child.plan.log.stat().st_size <= limit


@pytest.mark.parametrize(
    "changes", [{"command": []}, {"command": ["ls"]}, {"log_limit": 0}, {"start_timeout": 0}]
)
def test_wrong_plans_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    """A plan is checked when it is made."""
    with pytest.raises(ValueError, match="must"):
        python(tmp_path, FOREVER, **changes)


async def test_run_returns_the_output_or_raises_it(tmp_path: Path) -> None:
    """A command that ends well gives its output, one that fails its last words."""
    assert await run(python(tmp_path, "print('done')")) == "done"
    with pytest.raises(ServerError, match=r"failed with status 1(.|\n)*ZeroDivisionError"):
        await run(python(tmp_path, "1 / 0"))
    with pytest.raises(ServerError, match=r"took longer than 0\.2 s"):
        await run(python(tmp_path, FOREVER, start_timeout=0.2))


async def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    """Cancelled at any moment of its start, the process is gone before the caller goes on."""

    async def never() -> bool:
        return False

    me = psutil.Process()
    others = me.children()
    for pause in (0, 0.001, 0.003, 0.01, 0.03, 0.1):
        task = asyncio.create_task(Child(python(tmp_path, FOREVER), ready=never).start())
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert me.children() == others
