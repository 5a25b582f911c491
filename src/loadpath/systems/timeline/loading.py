"""Load a timeline system, a running one or one of its own, and look up every post afterwards."""

from typing import Any

import msgspec

from loadpath.local import workspace
from loadpath.local.programs import Source
from loadpath.systems.timeline.load.apart import run_apart
from loadpath.systems.timeline.load.arrivals import Arrivals
from loadpath.systems.timeline.load.audit import audit
from loadpath.systems.timeline.load.client import Client
from loadpath.systems.timeline.load.population import Population
from loadpath.systems.timeline.load.report import AuditReport, LoadReport
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult
from loadpath.systems.timeline.load.seeding import seed, writers_ready
from loadpath.systems.timeline.preflight import check_record
from loadpath.systems.timeline.stage import OnEvent, Step, check, stage


class LoadTest(msgspec.Struct, frozen=True, kw_only=True):
    """Say what to load, and how.

    Attributes:
        url: Where a running system answers HTTP; None sets up one of its own.
        postgres: DSN of the running system's record.
        users: Users of the graph.
        followers: Average followers per user.
        seed: Picks the graph and the load.
        posts: Posts offered per second.
        reads: Home timeline reads offered per second.
        seconds: How long the load lasts (s).
        binaries: Where the programs of a PostgreSQL of its own are.
    """

    url: str | None = None
    postgres: str | None = None
    users: int = 200_000
    followers: float = 200.0
    seed: int = 1
    posts: float = 500.0
    reads: float = 1_000.0
    seconds: float = 30.0
    binaries: Source = "wheel"

    def __post_init__(self) -> None:
        if (self.url is None) != (self.postgres is None):
            raise ValueError("url and postgres belong together: give both, or neither")
        if self.url is not None:
            Client(self.url)
            if self.binaries != "wheel":
                raise ValueError(
                    "the system at url runs already, so binaries finds nothing to start"
                )
        self.population()
        Arrivals(posts=self.posts, reads=self.reads, seconds=self.seconds, seed=self.seed)

    def population(self) -> Population:
        """Return the graph."""
        return Population(users=self.users, followers=self.followers, seed=self.seed)


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a load measured and what became of its posts.

    Attributes:
        load: What was measured over HTTP.
        audit: What was looked up afterwards.
    """

    load: LoadReport
    audit: AuditReport

    @property
    def good(self) -> bool:
        """Whether everything ended as asked and is where it belongs."""
        return self.audit.clean and not self.load.posts.wrong and not self.load.reads.wrong

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document | {"good": self.good}


async def load_timeline(test: LoadTest, tell: OnEvent) -> LoadOutcome:
    """Build the graph unless it is there, send the load, look up every post.

    Args:
        test: What to load, and how.
        tell: Called with everything that happens.

    Raises:
        OtherGraphError: The running system's record holds something else.
        NoRoomError: There is too little disk or memory for a system of its own.
        WrongDsnError: The address of the record does not read as one.
        NoRecordError: The record cannot be reached or does not let us in.
        ProgramMissingError: PostgreSQL is not there; says what to install.
        ServerError: A server or process did not come up; carries its last lines.
    """
    if test.url is None or test.postgres is None:
        return await _load_own(test, tell)
    return await _load_running(test, tell, url=test.url, dsn=test.postgres)


async def _load_own(test: LoadTest, tell: OnEvent) -> LoadOutcome:
    await check(test.population())
    async with stage(test.population(), tell, binaries=test.binaries) as scene:
        service = scene.service
        plan = _plan(test, url=service.url, dsn=scene.record.dsn)
        (result,) = await run_apart([plan], tell, folder=scene.folder)
        tell(Step(text="looking up every post in the record and in every timeline"))
        report = await audit(
            postgres=scene.record.dsn,
            url=service.url,
            acknowledged=result.acknowledged,
            tags=[result.tag],
            rings=service.settings,
            undrained=await service.drained(),
        )
    return LoadOutcome(load=result.report, audit=report)


async def _load_running(test: LoadTest, tell: OnEvent, *, url: str, dsn: str) -> LoadOutcome:
    await check_record(dsn)
    if not (await seed(dsn, test.population(), tell)).reused:
        tell(Step(text="waiting for the fan-out writers, which read the graph"))
        await writers_ready(dsn)
    async with workspace() as folders:
        plan = _plan(test, url=url, dsn=dsn)
        result: LoadResult
        (result,) = await run_apart([plan], tell, folder=folders.disk)
    tell(Step(text="looking up every post in the record, and timelines over HTTP"))
    report = await audit(
        postgres=dsn, url=url, acknowledged=result.acknowledged, tags=[result.tag], rings=None
    )
    return LoadOutcome(load=result.report, audit=report)


def _plan(test: LoadTest, *, url: str, dsn: str) -> LoadPlan:
    return LoadPlan(
        url=url,
        postgres=dsn,
        title=f"load for {test.seconds:g} s: {test.posts:g} posts/s and {test.reads:g} reads/s",
        posts=test.posts,
        reads=test.reads,
        seconds=test.seconds,
        seed=test.seed,
    )
