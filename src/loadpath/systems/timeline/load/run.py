"""Send a mixed load over HTTP, on schedule, and measure what users would see.

Each request counts from its scheduled moment. Posts carry an idempotency key and are tried again
under it until their deadline; each acknowledged id is kept for the audit. Some posts are probes:
from their acknowledgement on, one follower's home timeline is read until the post is there.
"""

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Annotated
from uuid import uuid4

import msgspec
from msgspec import Meta

from loadpath.core.backoff import Backoff
from loadpath.systems.timeline.load.arrivals import Arrivals, slices
from loadpath.systems.timeline.load.client import Answer, AnswerLostError, Client, NotSentError
from loadpath.systems.timeline.load.cpu import cpu_times
from loadpath.systems.timeline.load.crowd import Crowd
from loadpath.systems.timeline.load.report import LoadReport, Progress
from loadpath.systems.timeline.load.tally import Kind, Tally

PROBE_PAUSE = 0.002
PROBE_PATIENCE = 10.0
BACKOFF = Backoff(base=0.02, cap=0.5, jitter="equal")
HOME = "/timelines/home?limit=20"
DONE = frozenset({200, 201})
LOST_BEHIND = frozenset({502, 504})
TRY_AGAIN = LOST_BEHIND | {429, 503}
WORDS = b"the record is true and everything else is a view of it that can be rebuilt"

OnProgress = Callable[[Progress], None]
Send = Callable[[float], Awaitable[Answer]]


def new_tag(name: str) -> str:
    """Return what the texts and keys of one run's posts begin with: no other run has the same."""
    return f"{name}-{uuid4().hex[:12]}"


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Say what load to send, and where.

    Attributes:
        url: The system's HTTP address.
        postgres: DSN of its record; users and followers are read from it beforehand.
        title: What progress calls it.
        posts: Posts offered per second.
        reads: Home timeline reads offered per second.
        seconds: Length of the schedule (s).
        seed: Picks one schedule.
        deadline: Seconds until a request is given up.
        crowd: Most users who post and read.
        probes: Posts per second whose fan-out lag is measured.
        connections: Most HTTP connections.
        watch: Processes, by name, whose CPU time is measured meanwhile, children included.
        tag: Begins the text of every post of this run.
    """

    url: str
    postgres: str
    title: str = "load"
    posts: float = 500.0
    reads: float = 1_000.0
    seconds: float = 30.0
    seed: int = 1
    deadline: Annotated[float, Meta(gt=0)] = 10.0
    crowd: Annotated[int, Meta(ge=1)] = 5_000
    probes: Annotated[float, Meta(ge=0)] = 25.0
    connections: Annotated[int, Meta(ge=1)] = 256
    watch: dict[str, list[int]] = {}
    tag: str = msgspec.field(default_factory=lambda: new_tag("load"))

    def __post_init__(self) -> None:
        self.arrivals()

    def arrivals(self) -> Arrivals:
        """Return the schedule."""
        return Arrivals(posts=self.posts, reads=self.reads, seconds=self.seconds, seed=self.seed)


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a run measured and what it was promised.

    Attributes:
        report: The figures.
        tag: Begins the text of every post of the run.
        acknowledged: Id of every post whose commit was acknowledged.
        cpu: CPU time that each watched group of processes took (s).
    """

    report: LoadReport
    tag: str
    acknowledged: list[int]
    cpu: dict[str, float] = {}


async def run(plans: Sequence[LoadPlan], on_progress: OnProgress) -> list[LoadResult]:
    """Send one load after the other with the users of the first, and return what each found.

    Args:
        plans: The loads.
        on_progress: Called once a second.

    Raises:
        EmptyCrowdError: The record has no users.
        asyncpg.PostgresError: The record cannot be read.
    """
    first = plans[0]
    crowd = await Crowd.gather(first.postgres, size=first.crowd, seed=first.seed)
    results = []
    for plan in plans:
        async with Client(plan.url, connections=plan.connections) as client:
            results.append(await _Run(plan, crowd, client).run(on_progress))
    return results


class _Posted(msgspec.Struct):
    """Read the id of a new post from its answer."""

    id: str


class _Run:
    def __init__(self, plan: LoadPlan, crowd: Crowd, client: Client) -> None:
        self._plan = plan
        self._crowd = crowd
        self._client = client
        self._tally = Tally(plan.arrivals(), title=plan.title)
        self._random = Random(plan.seed)  # noqa: S311 - picks probes, pauses and readers
        self._users: list[int] = crowd.users.tolist()
        self._signed: dict[int, bytes] = {}
        self._acknowledged = array("q")
        self._probe_share = min(1.0, plan.probes / plan.posts) if plan.posts else 0.0
        self._start = 0.0

    async def run(self, on_progress: OnProgress) -> LoadResult:
        for user in self._users:  # beforehand: signing costs more than sending
            self._signed[user] = self._crowd.authorization(user)
            await asyncio.sleep(0)
        watch = self._plan.watch
        before = await asyncio.to_thread(cpu_times, watch)
        self._start = time.monotonic()
        telling = asyncio.create_task(self._tell(on_progress))
        try:
            async with asyncio.TaskGroup() as group:
                await self._offer(group)
        finally:
            telling.cancel()
        on_progress(self._tally.second(self._now()))
        after = await asyncio.to_thread(cpu_times, watch)
        return LoadResult(
            report=self._tally.report(),
            tag=self._plan.tag,
            acknowledged=self._acknowledged.tolist(),
            cpu={name: after[name] - before[name] for name in watch},
        )

    def _now(self) -> float:
        """Return the seconds since the start; the loop's own clock is too coarse here."""
        return time.monotonic() - self._start

    async def _tell(self, on_progress: OnProgress) -> None:
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, second - self._now()))
            on_progress(self._tally.second(self._now()))

    async def _offer(self, group: asyncio.TaskGroup) -> None:
        """Start every request at its moment, whatever became of those before."""
        for piece in slices(self._plan.arrivals()):
            moments = zip(
                piece.at.tolist(), piece.is_post.tolist(), piece.draw.tolist(), strict=True
            )
            for due, is_post, draw in moments:
                if (early := due - self._now()) > 0:
                    await asyncio.sleep(early)
                index = int(draw * len(self._users))
                since = min(due, self._now())  # timers may fire a fraction of a millisecond early
                if is_post:
                    group.create_task(self._post(group, since, index))
                else:
                    group.create_task(self._read(since, index))

    async def _post(self, group: asyncio.TaskGroup, due: float, index: int) -> None:
        number = self._tally.started(Kind.POST, due=due, now=self._now())
        key = f"{self._plan.tag}-{number}".encode()
        body = b'{"text":"%b %b"}' % (key, WORDS[: 10 + number % 64])
        headers = b"%bIdempotency-Key: %b\r\n" % (self._signed[self._users[index]], key)
        answer = await self._answer(
            Kind.POST,
            lambda patience: self._client.post("/posts", body, headers=headers, patience=patience),
        )
        if answer is None:
            return
        if answer.status not in DONE:
            self._tally.failed(Kind.POST, _said(answer), now=self._now())
            return
        acknowledged = self._now()
        self._tally.done(Kind.POST, due=due, now=acknowledged)
        post_id = int(msgspec.json.decode(answer.body, type=_Posted).id)
        self._acknowledged.append(post_id)
        if self._random.random() < self._probe_share:
            reader = self._crowd.follower(index, self._random.random())
            if reader is not None:
                group.create_task(self._probe(post_id, reader, due, acknowledged))

    async def _read(self, due: float, index: int) -> None:
        self._tally.started(Kind.READ, due=due, now=self._now())
        headers = self._signed[self._users[index]]
        answer = await self._answer(
            Kind.READ, lambda patience: self._client.get(HOME, headers=headers, patience=patience)
        )
        if answer is None:
            return
        if answer.status in DONE:
            self._tally.done(Kind.READ, due=due, now=self._now())
        else:
            self._tally.failed(Kind.READ, _said(answer), now=self._now())

    async def _probe(self, post_id: int, reader: int, due: float, acknowledged: float) -> None:
        """Read one follower's home timeline until the post is there."""
        headers = self._signed[reader]
        wanted = b'"%d"' % post_id
        give_up = acknowledged + PROBE_PATIENCE
        while self._now() < give_up:
            try:
                answer = await self._client.get(
                    HOME, headers=headers, patience=give_up - self._now()
                )
            except (NotSentError, AnswerLostError):
                await asyncio.sleep(PROBE_PAUSE)
                continue
            if wanted in answer.body:
                self._tally.seen(due=due, acknowledged=acknowledged, now=self._now())
                return
            await asyncio.sleep(PROBE_PAUSE)
        self._tally.unseen()

    async def _answer(self, kind: Kind, send: Send) -> Answer | None:
        """Try until there is an answer; None when the deadline came first."""
        deadline = self._now() + self._plan.deadline
        in_doubt = False
        for pause in BACKOFF.delays(self._random):
            try:
                answer = await send(deadline - self._now())
                if answer.status not in TRY_AGAIN:
                    return answer
                in_doubt |= answer.status in LOST_BEHIND
                why = _said(answer)
            except NotSentError as error:
                why = str(error)
            except AnswerLostError as error:
                in_doubt = True
                why = str(error)
            if self._now() + pause >= deadline:
                break
            self._tally.retried(kind, why)
            await asyncio.sleep(pause)
        self._tally.gave_up(kind, why, in_doubt=in_doubt, now=self._now())
        return None


def _said(answer: Answer) -> str:
    """Return what a server said, for people."""
    return f"{answer.status} {answer.body[:200].decode(errors='replace')}"
