"""`loadpath demo`: run a system under load and judge it against the guide."""

import asyncio
import time

from rich.console import Console

from loadpath.cli.entry import asked
from loadpath.cli.interruptible import run_interruptible
from loadpath.cli.output import console_for, print_json
from loadpath.cli.places import binaries as from_where
from loadpath.cli.timeline_progress import Teller
from loadpath.cli.timeline_verdict import print_verdict
from loadpath.systems.timeline.demo import DemoPlan, Shown, demo
from loadpath.systems.timeline.verdict import Verdict

DEFAULT_SECONDS = 30.0


def timeline(
    *,
    seconds: float | None = None,
    users: int = 200_000,
    followers: float = 200.0,
    posts: float = 500.0,
    reads: float = 1_000.0,
    port: int | None = None,
    seed: int = 1,
    binaries: str = "wheel",
    json: bool = False,
) -> int:
    """Run the Twitter-like system on this machine, under load, and print the verdict.

    Args:
        seconds: Load for this long, and end after the verdict; 30 s and staying when left out.
        users: Users of the graph.
        followers: Average followers per user.
        posts: Posts offered per second.
        reads: Home timeline reads offered per second.
        port: Port of the page; a free one when left out.
        seed: Picks the graph and the load.
        binaries: Where PostgreSQL and Valkey are: wheel, system, or the folder of both.
        json: Print one JSON document on standard output; progress goes to standard error.
    """
    with asked():
        plan = DemoPlan(
            users=users,
            followers=followers,
            seed=seed,
            posts=posts,
            reads=reads,
            seconds=DEFAULT_SECONDS if seconds is None else seconds,
            port=port,
            binaries=from_where(binaries),
        )
    verdict = run_interruptible(_show(plan, stay=seconds is None, json=json))
    return 0 if verdict.holds else 1


async def _show(plan: DemoPlan, *, stay: bool, json: bool) -> Verdict:
    console = console_for(json=json)
    tell = Teller(console, began=time.monotonic())
    async with demo(plan, tell) as shown:
        _print(shown, tell, console, json=json)
        if stay:
            console.print(f"The page is open at {shown.url} until Ctrl-C.", soft_wrap=True)
            await asyncio.Event().wait()
    return shown.verdict


def _print(shown: Shown, tell: Teller, console: Console, *, json: bool) -> None:
    if json:
        print_json(
            {"first_figures_after": tell.first_figures, "url": shown.url} | shown.verdict.as_json()
        )
    else:
        print_verdict(console, shown.verdict)
