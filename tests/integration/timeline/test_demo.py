"""Behaviour of the commands that people run: demo, load and up, as processes of their own."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from loadpath.local.folders import disk_base, memory_base
from loadpath.local.ports import free_ports
from loadpath.local.programs import POSTGRES, find_program
from tests.integration.timeline.services import until

SMALL = ("--users", "1500", "--followers", "20")
GENTLE = ("--posts", "60", "--reads", "120")


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[Process]:
    """Run `loadpath` with arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadpath", *arguments, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def folders_of(pid: int) -> list[Path]:
    """Return the temporary folders that a process owns or owned."""
    return await asyncio.to_thread(_folders_of, pid)


def _folders_of(pid: int) -> list[Path]:
    locks = [lock for base in (disk_base(), memory_base()) for lock in base.glob("loadpath-*.lock")]
    return [lock for lock in locks if _read(lock) == str(pid)]


def _read(lock: Path) -> str:
    try:
        return lock.read_text()
    except (FileNotFoundError, PermissionError):
        return ""


def children_of(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started and that still run."""
    return psutil.Process(pid).children(recursive=True)


async def line_with(stream: asyncio.StreamReader, text: str) -> str:
    """Read lines until one has the text."""
    read = ""
    async with asyncio.timeout(60):
        async for line in stream:
            read += line.decode()
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"{text!r} never came: {read}")


async def test_a_demo_for_programs_prints_one_document_and_leaves_nothing() -> None:
    """Too small a load for the guide, so the verdict does not hold, and says which condition."""
    arguments = ("demo", "timeline", *SMALL, *GENTLE, "--seconds", "1", "--json")
    async with command(*arguments) as process:
        printed, said = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 1, said.decode()
    verdict = json.loads(printed)
    broken = {c["name"] for c in verdict["conditions"] if not c["holds"]}
    assert "offered load over HTTP" in broken
    assert any(remark.startswith("small graph") for remark in verdict["remarks"])
    assert "nothing acknowledged is lost or doubled" not in broken
    assert "an acknowledgement is durable" not in broken
    assert verdict["audit"]["written"] == 40_000
    assert verdict["audit"]["acknowledged"] > verdict["measured"]["posts"]["done"]
    assert verdict["measured"]["posts"]["done"] == verdict["measured"]["posts"]["scheduled"]
    assert verdict["engine"]["inserts"] > 500_000
    assert verdict["engine"]["peer"]["inserts"] > 10_000
    assert verdict["costs"]["read_api"] > 0
    assert verdict["record"]["policy"].startswith("fsync=on")
    assert verdict["first_figures_after"] > 0
    assert "post p50/p99 ms" in said.decode()
    assert await folders_of(process.pid) == []


@pytest.mark.parametrize("moment", ["starting PostgreSQL", "follows:", "reads the graph"])
async def test_ctrl_c_at_any_moment_leaves_nothing(moment: str) -> None:
    """While the servers start, while the graph is built, while the system starts."""
    arguments = ("demo", "timeline", "--users", "30000", "--followers", "100", "--seconds", "30")
    async with command(*arguments) as process:
        assert process.stdout is not None
        await line_with(process.stdout, moment)
        started = await asyncio.to_thread(children_of, process.pid)
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130
    assert said.decode() == ""
    assert not any(child.is_running() for child in started)
    assert await folders_of(process.pid) == []


async def test_a_killed_demo_leaves_nothing_after_the_next_command() -> None:
    """`kill -9` of ours: the servers die with it, and the next start removes the folders."""
    async with command("demo", "timeline", *SMALL, "--seconds", "30") as process:
        assert process.stdout is not None
        await line_with(process.stdout, "the page is at")
        started = await asyncio.to_thread(children_of, process.pid)
        assert len(started) > 3
        process.kill()
        await process.communicate()
    await until(lambda: not any(child.is_running() for child in started))
    async with command("load", "timeline", *SMALL, *GENTLE, "--seconds", "1") as following:
        printed, said = await asyncio.wait_for(following.communicate(), 60)
    assert following.returncode == 0, said.decode()
    assert "nothing lost, nothing doubled" in printed.decode()
    assert await folders_of(process.pid) == []


async def test_the_programs_of_a_folder_are_run_when_it_is_named() -> None:
    """What runs says where it comes from."""
    folder = (await asyncio.to_thread(find_program, POSTGRES)).path.parent
    arguments = ("load", "timeline", *SMALL, *GENTLE, "--seconds", "1", "--binaries", str(folder))
    async with command(*arguments) as process:
        printed, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    assert f"({folder}), fsync=on" in printed.decode()


async def test_up_keeps_its_posts_over_a_restart(disk_path: Path) -> None:
    """Sign up, post, Ctrl-C, start again, sign in: the post is there, on a real disk as it says."""
    port = free_ports(1)[0]
    arguments = ("up", "timeline", "--data", str(disk_path / "data"), "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    who = {"name": "kim", "password": "correct horse"}
    async with aiohttp.ClientSession(url) as http:
        async with running(arguments, url):
            assert (await http.post("/users", json=who)).status == 201
            headers = await signed_in(http, who)
            made = await http.post("/posts", json={"text": "still here"}, headers=headers)
            assert made.status == 201
        async with running(arguments, url):
            await signed_in(http, who)
            answer = await http.get("/users/kim/posts")
            assert [post["text"] for post in (await answer.json())["posts"]] == ["still here"]


async def test_two_systems_never_share_a_folder(disk_path: Path) -> None:
    """The second says who has it, in one line, and touches nothing."""
    data = str(disk_path / "data")
    ports = free_ports(2)
    first, second = [("up", "timeline", "--data", data, "--port", str(port)) for port in ports]
    async with running(first, f"http://127.0.0.1:{ports[0]}"), command(*second) as process:
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert "is in use by process" in said.decode()
    assert "Traceback" not in said.decode()


@asynccontextmanager
async def running(arguments: tuple[str, ...], url: str) -> AsyncIterator[None]:
    """Run `loadpath up` until the block ends, then end it with Ctrl-C."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadpath", *arguments, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        assert "data on a real disk" in await line_with(process.stdout, "fsync=on")
        await line_with(process.stdout, f"The page is open at {url}")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, said) == (130, b"")


async def signed_in(http: aiohttp.ClientSession, who: dict[str, str]) -> dict[str, str]:
    """Sign in and return the header that requests are signed with."""
    answer = await http.post("/sessions", json=who)
    assert answer.status == 201
    return {"Authorization": f"Bearer {(await answer.json())['token']}"}
