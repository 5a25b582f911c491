"""Show the whole system at work on this machine: real servers, a graph, load, and a verdict.

Everything that is started here is stopped here, at whatever moment the block ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import msgspec
import numpy as np

from loadpath.local import Facts, Valkey, valkey
from loadpath.local.ports import checked_port
from loadpath.local.programs import Source
from loadpath.systems.timeline.fanout.ringfile import WORD, Geometry
from loadpath.systems.timeline.load.apart import run_apart
from loadpath.systems.timeline.load.arrivals import Arrivals
from loadpath.systems.timeline.load.audit import audit
from loadpath.systems.timeline.load.carry import carry
from loadpath.systems.timeline.load.peer import insert_into_valkey
from loadpath.systems.timeline.load.population import Population, wanted_followers
from loadpath.systems.timeline.load.report import CostReport, PeerReport
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult, new_tag
from loadpath.systems.timeline.stage import LENGTH, OnEvent, Stage, Step, check, stage
from loadpath.systems.timeline.verdict import Server, Verdict, judge

WARM_UP_SECONDS: Final = 3.0
COST_SECONDS: Final = 2.0
COST_READS: Final = 1_000.0
COST_POSTS: Final = 500.0
ENGINE_POSTS: Final = 40_000
PEER_SECONDS: Final = 2.5
PEER_AUTHORS: Final = 100


class DemoPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Say how large the demo is.

    Attributes:
        users: Users of the graph.
        followers: Average followers per user.
        seed: Picks the graph and the load.
        posts: Posts offered per second.
        reads: Home timeline reads offered per second.
        seconds: How long the load lasts (s).
        port: Where the page is; None for a free port.
        engine_posts: Posts that the engine is measured with.
        binaries: Where the programs of PostgreSQL and Valkey are.
    """

    users: int = 200_000
    followers: float = 200.0
    seed: int = 1
    posts: float = 500.0
    reads: float = 1_000.0
    seconds: float = 30.0
    port: int | None = None
    engine_posts: int = ENGINE_POSTS
    binaries: Source = "wheel"

    def __post_init__(self) -> None:
        Arrivals(posts=self.posts, reads=self.reads, seconds=self.seconds, seed=self.seed)
        checked_port(self.port)
        if self.engine_posts < 1:
            raise ValueError(f"engine_posts must be at least 1, not {self.engine_posts}")
        self.population()

    def population(self) -> Population:
        """Return the graph."""
        return Population(users=self.users, followers=self.followers, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Hold the result while the system still runs.

    Attributes:
        verdict: The verdict.
        url: Where the page is.
    """

    verdict: Verdict
    url: str


@asynccontextmanager
async def demo(plan: DemoPlan, tell: OnEvent) -> AsyncIterator[Shown]:
    """Run the demo; the system stays up until the block ends.

    Args:
        plan: How large it is.
        tell: Called with everything that happens.

    Raises:
        ProgramMissingError: PostgreSQL or Valkey is not there; says what to install.
        ServerError: A server or process did not come up; carries its last lines.
        ServiceFailedError: A process of the system did not stay up.
        NoRoomError: There is too little disk or memory.
        PortInUseError: The port cannot be listened on.
    """
    await check(plan.population(), port=plan.port)
    async with valkey(binaries=plan.binaries) as peer:
        tell(Step(text=str(peer.facts)))
        async with stage(plan.population(), tell, port=plan.port, binaries=plan.binaries) as scene:
            verdict = await _Show(plan, scene, tell).run(peer)
            yield Shown(verdict=verdict, url=scene.service.url)


class _Show:
    def __init__(self, plan: DemoPlan, scene: Stage, tell: OnEvent) -> None:
        self._plan = plan
        self._scene = scene
        self._service = scene.service
        self._dsn = scene.record.dsn
        self._tell = tell

    async def run(self, peer: Valkey) -> Verdict:
        plan, service = self._plan, self._service
        runs = await self._send()
        _, load, reads, posts = runs
        self._tell(Step(text="measuring what the fan-out writer carries"))
        tag = new_tag("engine")
        carried = await carry(
            service.settings, service.writers, posts=plan.engine_posts, seed=plan.seed, tag=tag
        )
        self._tell(Step(text="measuring the same inserts into Valkey"))
        engine = msgspec.structs.replace(carried.report, peer=await self._measure_peer(peer))
        self._tell(Step(text="looking up every post in the record and in every timeline"))
        audited = await audit(
            postgres=self._dsn,
            url=service.url,
            acknowledged=[post for run in runs for post in run.acknowledged],
            written=carried.acknowledged,
            tags=[*(run.tag for run in runs), tag],
            rings=service.settings,
            undrained=await service.drained(),
        )
        return judge(
            load=load.report,
            audit=audited,
            engine=engine,
            costs=await self._costs(reads, posts),
            record=_server(self._scene.record.facts),
            peer=_server(peer.facts),
        )

    async def _send(self) -> list[LoadResult]:
        """Send the load, then a little of each kind alone, to tell what one request costs."""
        plan, service = self._plan, self._service
        load = LoadPlan(
            url=service.url,
            postgres=self._dsn,
            title=f"load for {plan.seconds:g} s: {plan.posts:g} posts/s and {plan.reads:g} reads/s",
            posts=plan.posts,
            reads=plan.reads,
            seconds=plan.seconds,
            seed=plan.seed,
        )
        warm_up = msgspec.structs.replace(
            load,
            title=f"the same for {WARM_UP_SECONDS:g} s first, to warm caches",
            seconds=WARM_UP_SECONDS,
            seed=plan.seed + 1,
            tag=new_tag("warm-up"),
        )
        alone = msgspec.structs.replace(
            load,
            seconds=COST_SECONDS,
            probes=0,
            watch={
                "api": [api.pid for api in service.apis],
                "record": [self._scene.record.pid],
            },
        )
        reads = msgspec.structs.replace(
            alone,
            title="reads alone, for what one costs",
            posts=0,
            reads=COST_READS,
            seed=plan.seed + 2,
            tag=new_tag("reads"),
        )
        posts = msgspec.structs.replace(
            alone,
            title="posts alone, for what one costs",
            posts=COST_POSTS,
            reads=0,
            seed=plan.seed + 3,
            tag=new_tag("posts"),
        )
        return await run_apart([warm_up, load, reads, posts], self._tell, folder=self._scene.folder)

    async def _measure_peer(self, peer: Valkey) -> PeerReport:
        lists = await asyncio.to_thread(_follower_lists, self._plan.population())
        return await asyncio.to_thread(
            insert_into_valkey, peer.url, peer.pid, lists, length=LENGTH, seconds=PEER_SECONDS
        )

    async def _costs(self, reads: LoadResult, posts: LoadResult) -> CostReport:
        connection = await asyncpg.connect(self._dsn)
        try:
            table = await connection.fetchval("SELECT pg_total_relation_size('follows')")
        finally:
            connection.terminate()
        answered = max(1, reads.report.reads.done)
        acknowledged = max(1, posts.report.posts.done)
        ring = Geometry(shard=0, shards=1, capacity=1, length=LENGTH).physical * WORD + WORD
        return CostReport(
            read_api=reads.cpu["api"] / answered,
            read_record=reads.cpu["record"] / answered,
            post_api=posts.cpu["api"] / acknowledged,
            post_record=posts.cpu["record"] / acknowledged,
            ring_bytes_per_user=ring,
            record_bytes_per_edge=table / max(1, self._scene.edges),
        )


def _follower_lists(population: Population) -> list[list[int]]:
    """Return followers of some authors, as many as the graph's law gives them (blocking)."""
    rng = np.random.default_rng(population.seed)
    counts = rng.choice(wanted_followers(population), PEER_AUTHORS)
    return [
        rng.choice(population.users, max(1, round(count)), replace=False).tolist()
        for count in counts
    ]


def _server(facts: Facts) -> Server:
    return Server(
        name=facts.name,
        version=facts.version,
        source=facts.source,
        policy=facts.policy,
        synced=facts.synced,
        on_disk=facts.on_disk,
    )
