"""`loadpath load`: send load to a system and look up what became of it."""

import time

from loadpath.cli.entry import asked
from loadpath.cli.interruptible import run_interruptible
from loadpath.cli.output import console_for, print_json
from loadpath.cli.places import binaries as from_where
from loadpath.cli.timeline_progress import Teller
from loadpath.cli.timeline_verdict import audit_line, load_table
from loadpath.systems.timeline.loading import LoadTest, load_timeline


def timeline(
    *,
    url: str | None = None,
    postgres: str | None = None,
    users: int = 200_000,
    followers: float = 200.0,
    seed: int = 1,
    posts: float = 500.0,
    reads: float = 1_000.0,
    seconds: float = 30.0,
    binaries: str = "wheel",
    json: bool = False,
) -> int:
    """Build a power-law follower graph, send open-loop load, look up every post afterwards.

    Args:
        url: Where a running system answers HTTP, such as http://127.0.0.1:8000.
        postgres: DSN of that system's record; the graph is put there unless it is there already.
        users: Users of the graph.
        followers: Average followers per user.
        seed: Picks the graph and the load.
        posts: Posts offered per second.
        reads: Home timeline reads offered per second.
        seconds: How long the load lasts.
        binaries: Where PostgreSQL is, for a system of its own: wheel, system, or its folder.
        json: Print one JSON document on standard output; progress goes to standard error.
    """
    with asked():
        test = LoadTest(
            url=url,
            postgres=postgres,
            users=users,
            followers=followers,
            seed=seed,
            posts=posts,
            reads=reads,
            seconds=seconds,
            binaries=from_where(binaries),
        )
    console = console_for(json=json)
    tell = Teller(console, began=time.monotonic())
    outcome = run_interruptible(load_timeline(test, tell))
    if json:
        print_json(outcome.as_json())
    else:
        console.print(load_table(outcome.load))
        console.print(audit_line(outcome.audit), markup=False)
    return 0 if outcome.good else 1
