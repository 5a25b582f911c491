"""Behaviour of a command that a signal stops."""

import subprocess
import sys
import textwrap
import time

import pytest

from loadpath.cli.interruptible import run_interruptible

PROGRAM = """
import asyncio, sys
from loadpath.cli.interruptible import run_interruptible
from loadpath.cli.entry import StoppedError

async def work():
    try:
        print("started", flush=True)
        await asyncio.sleep(30)
    finally:
        await asyncio.sleep(0.3)
        print("cleaned", flush=True)

try:
    run_interruptible(work())
except StoppedError as error:
    sys.exit(128 + error.number)
"""


@pytest.mark.parametrize("number", [2, 15, 1])
def test_a_signal_stops_the_work_once_and_lets_it_clean_up(number: int) -> None:
    """An impatient second Ctrl-C does not cut the cleaning short."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        time.sleep(0.1)
        process.send_signal(number)
        assert process.stdout.readline() == "cleaned\n"
        assert process.wait(10) == 128 + number


def test_the_works_result_is_returned() -> None:
    """Without a signal nothing is different."""

    async def work() -> int:
        return 7

    assert run_interruptible(work()) == 7
