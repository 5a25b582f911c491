"""`loadpath lock`, run as people run it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from loadpath.local import Valkey, valkey_cluster
from loadpath.lock import DistributedLock
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import RespClient

SAY = 'echo "$LOADPATH_LOCK_KEY $LOADPATH_FENCING_TOKEN"'


@asynccontextmanager
async def loadpath(server: Valkey, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command of loadpath until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadpath",
        "lock",
        *arguments,
        env={**os.environ, "LOADPATH_REDIS": server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ran(server: Valkey, *arguments: str) -> tuple[int | None, str, str]:
    """Run a command to its end."""
    async with loadpath(server, *arguments) as process:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), err.decode()


async def line(process: asyncio.subprocess.Process) -> str:
    """Return the next line that a command prints."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def test_a_command_runs_under_the_lock_and_its_exit_code_comes_back(
    resp_valkey: Valkey, client: RespClient
) -> None:
    """It knows key and token, and the lock is free afterwards."""
    code, out, err = await ran(resp_valkey, "hold", "k", "--", "sh", "-c", f"{SAY}; exit 3")
    assert (code, err) == (3, "")
    key, token = out.split()
    assert key == "k"
    assert int(token) > 10**15
    assert not await RedisLockStore(client).held()


async def test_a_lock_that_is_not_free_is_told_by_an_exit_code_of_its_own(
    resp_valkey: Valkey, client: RespClient
) -> None:
    """75, and nothing was run."""
    async with DistributedLock(RedisLockStore(client)) as lock, lock.hold("k"):
        code, out, err = await ran(resp_valkey, "hold", "k", "--wait", "0", "--", "echo", "ran")
    assert (code, out) == (75, "")
    assert "'k' was not free" in err


async def test_a_lost_lease_kills_the_command(resp_valkey: Valkey) -> None:
    """Whatever it does about SIGTERM; 76 tells."""
    script = f"trap '' TERM; {SAY}; while :; do sleep 0.1; done"
    async with loadpath(
        resp_valkey, "hold", "k", "--ttl", "1", "--", "sh", "-c", script
    ) as process:
        token = (await line(process)).split()[1]
        code, out, _ = await ran(resp_valkey, "release", "k", "--token", token)
        assert (code, out) == (0, "released: 1\n")
        assert await asyncio.wait_for(process.wait(), 60) == 76
        assert process.stderr is not None
        assert b"is lost" in await process.stderr.read()
    assert (await ran(resp_valkey, "release", "k"))[0] == 1


async def test_signals_are_forwarded(resp_valkey: Valkey, client: RespClient) -> None:
    """The command decides what they mean, and its end is the end."""
    script = f"trap 'exit 7' TERM; {SAY}; while :; do sleep 0.05; done"
    async with loadpath(resp_valkey, "hold", "k", "--", "sh", "-c", script) as process:
        await line(process)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 7
    # No shell here: one that is about to become `sleep` may swallow the signal.
    script = "from signal import *; signal(SIGINT, SIG_DFL); print(1, flush=True); pause()"
    async with loadpath(resp_valkey, "hold", "k", "--", sys.executable, "-c", script) as process:
        await line(process)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 130
    assert not await RedisLockStore(client).held()


async def test_a_signal_while_waiting_gives_up(resp_valkey: Valkey, client: RespClient) -> None:
    """Without a command to forward it to; nothing is left in the queue."""
    store = RedisLockStore(client)
    async with DistributedLock(store) as lock, lock.hold("k"):
        async with loadpath(resp_valkey, "hold", "k", "--", "echo", "ran") as process:
            async with asyncio.timeout(60):
                while not (await store.held())[0].waiting:  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 143
        assert (await store.held())[0].waiting == 0


async def test_the_command_dies_with_its_holder(resp_valkey: Valkey) -> None:
    """Nobody goes on without the lease, not even after a kill -9."""
    async with loadpath(
        resp_valkey, "hold", "k", "--ttl", "1", "--", "sh", "-c", "echo $$; exec sleep 60"
    ) as process:
        child = int(await line(process))
        process.kill()
        await process.wait()
        async with asyncio.timeout(60):
            while _lives(child):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - of the kernel
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_what_is_held_is_listed(resp_valkey: Valkey, client: RespClient) -> None:
    """For people and for programs."""
    async with (
        DistributedLock(RedisLockStore(client), label="me") as lock,
        lock.hold("user:1") as held,
        lock.hold("other"),
    ):
        code, out, _ = await ran(resp_valkey, "ls", "user:", "--json")
        (listed,) = json.loads(out)
        assert (code, listed["key"], listed["waiting"]) == (0, "user:1", 0)
        assert listed["holders"][0]["label"] == "me"
        assert listed["holders"][0]["token"] == held.token
        code, out, _ = await ran(resp_valkey, "ls")
        assert code == 0
        assert "other" in out
        assert "user:1" in out


async def test_a_cluster_is_found_out_behind_any_of_its_nodes() -> None:
    """A lock is held, listed and taken away wherever its key is."""
    async with valkey_cluster(replicas=0, relaxed=True) as cluster:
        keys = ["a", "b"]  # on the last node and on the first
        async with AsyncExitStack() as stack:
            holders = []
            for key in keys:
                hold = ("hold", key, "--ttl", "1", "--", "sh", "-c", f"{SAY}; exec sleep 60")
                holder = loadpath(cluster.nodes[0], *hold)
                holders.append(await stack.enter_async_context(holder))
            said = [(await line(process)).split() for process in holders]
            assert [key for key, _ in said] == keys
            code, out, _ = await ran(cluster.nodes[2], "ls", "--json")
            assert (code, [held["key"] for held in json.loads(out)]) == (0, keys)
            for key, token in said:
                code, out, _ = await ran(cluster.nodes[1], "release", key, "--token", token)
                assert (code, out) == (0, "released: 1\n")
            ended = [await asyncio.wait_for(process.wait(), 60) for process in holders]
            assert ended == [76] * len(keys)


async def test_wrong_questions_get_one_line(resp_valkey: Valkey) -> None:
    """And an exit code that tells them from a failure."""
    for arguments, exit_code, says in (
        (("hold", "k"), 2, "COMMAND"),
        (("hold", "k", "--ttl", "0", "--", "true"), 2, "ttl must be"),
        (("hold", "k", "--redis", "http://x", "--", "true"), 2, "redis://"),
        (("hold", "k", "--", "no-such-command"), 127, "no such command"),
        (("ls", "--redis", "redis://127.0.0.1:1"), 1, "127.0.0.1"),
    ):
        code, out, err = await ran(resp_valkey, *arguments)
        assert (code, out) == (exit_code, ""), err
        assert says in err
        assert err.count("\n") == 1, err
