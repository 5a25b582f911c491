"""Tell what a demo or load run is doing, line by line: readable with and without a terminal."""

import time

from rich.console import Console

from loadpath.systems.timeline.load.report import Latency, Progress
from loadpath.systems.timeline.load.seeding import Seeding
from loadpath.systems.timeline.stage import Event, Step

SEEDING_EVERY = 1.0
HEADER_EVERY = 20
LATE = 0.1
HEADER = (
    "    time   posts/s offered   reads/s offered   "
    "post p50/p99 ms   read p50/p99 ms    lag p50/p99 ms   errors"
)


class Teller:
    """Print events as they come.

    Args:
        console: Where to.
        began: When the command began, on the monotonic clock (s).

    Attributes:
        first_figures: Seconds from then until the first figures under load, None before.
    """

    def __init__(self, console: Console, *, began: float) -> None:
        self._console = console
        self._began = began
        self._rows = 0
        self._title = ""
        self._seeding = ("", 0.0)
        self.first_figures: float | None = None

    def __call__(self, event: Event) -> None:
        """Print one event."""
        match event:
            case Step():
                self._say(event.text)
            case Seeding():
                self._seed(event)
            case Progress() if event.offered_posts or event.offered_reads:
                self._row(event)

    def _say(self, text: str) -> None:
        elapsed = time.monotonic() - self._began
        self._console.print(
            f"{elapsed:7.1f} s  {text}", markup=False, highlight=False, soft_wrap=True
        )

    def _seed(self, seeding: Seeding) -> None:
        step, told = self._seeding
        if seeding.step == step and seeding.seconds - told < SEEDING_EVERY:
            return
        self._seeding = (seeding.step, seeding.seconds)
        self._say(_described(seeding))

    def _row(self, progress: Progress) -> None:
        if self.first_figures is None:
            self.first_figures = time.monotonic() - self._began
        if progress.title != self._title:
            self._title = progress.title
            self._rows = 0
            self._say(progress.title)
        if self._rows % HEADER_EVERY == 0:
            self._console.print(HEADER, markup=False, highlight=False, soft_wrap=True)
        self._rows += 1
        behind = "" if progress.late < LATE else f"  generator {progress.late * 1e3:.0f} ms late"
        self._console.print(
            f"{progress.elapsed:6.0f} s  {progress.posts:8,d} {progress.offered_posts:7,d}  "
            f"{progress.reads:8,d} {progress.offered_reads:7,d}  {_pair(progress.post)}"
            f"{_pair(progress.read)}{_pair(progress.lag)}  {progress.wrong:6,d}{behind}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _pair(latency: Latency) -> str:
    """Return median and 99th percentile in milliseconds."""
    if latency.p50 is None or latency.p99 is None:
        return f"{'-':>18}"
    return f"{latency.p50 * 1e3:9.1f} /{latency.p99 * 1e3:7.1f}"


def _described(seeding: Seeding) -> str:
    match seeding.step:
        case "users":
            return f"adding {seeding.users:,} users to the record"
        case "follows":
            rate = seeding.edges / seeding.seconds if seeding.seconds else 0.0
            share = seeding.edges / seeding.expected
            return f"follows: {seeding.edges:,} ({share:.0%}), {rate:,.0f}/s"
        case "key":
            return f"building the primary key of {seeding.edges:,} follows"
        case "statistics":
            return "gathering statistics"
        case _:
            known = "was there already" if seeding.reused else f"built in {seeding.seconds:.1f} s"
            return f"the graph of {seeding.users:,} users and {seeding.edges:,} follows {known}"
