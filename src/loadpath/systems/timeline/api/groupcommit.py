"""Group commit: concurrent posts share a transaction, so they share its cost.

An idle system commits a post at once. While a commit is under way, posts gather; a second one
starts when it is full, or when its oldest post has waited `max_wait`. What becomes of each post is
told apart: written, refused alone, not written, or in doubt, and doubt is resolved by sending the
same ids again.

Source: D. DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD
1984 (group commit).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Self

import msgspec

from loadpath.core.backoff import Backoff
from loadpath.core.errors import RejectedError
from loadpath.core.ids import SnowflakeIds
from loadpath.systems.timeline.record.model import NewPost, Published
from loadpath.systems.timeline.record.postgres import (
    RecordInDoubtError,
    RecordRefusedError,
    RecordUnavailableError,
)

Publish = Callable[[Sequence[NewPost]], Awaitable[list[Published]]]
"""How a batch is written: `Record.publish`."""


class TooManyPostsError(RejectedError, RuntimeError):
    """Refuse a post before it was tried, because too many wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """Decide when a batch is sent.

    Attributes:
        lanes: Batches under way at once.
        max_batch: Most posts in a batch.
        max_wait: Longest wait of a post while a lane is free (s).
        max_waiting: Most posts that wait; more are refused.
    """

    lanes: int = 2
    max_batch: int = 500
    max_wait: float = 0.002
    max_waiting: int = 10_000

    def __post_init__(self) -> None:
        if min(self.lanes, self.max_batch, self.max_waiting) < 1 or not self.max_wait >= 0:
            raise ValueError(
                f"lanes, max_batch and max_waiting must be at least 1, max_wait 0 s: {self}"
            )

    def flush_at(self, *, waiting: int, oldest: float, busy: int) -> float | None:
        """Return when to send the next batch, None when a post or a lane must come first.

        Args:
            waiting: Posts that wait.
            oldest: Since when the oldest of them has waited (s).
            busy: Batches under way.
        """
        if waiting == 0 or busy >= self.lanes:
            return None
        if busy == 0 or waiting >= self.max_batch:
            return oldest
        return oldest + self.max_wait


class GroupCommitStats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what a group commit did.

    Attributes:
        batches: Transactions sent, repeated ones included.
        posts: Posts written or found written.
        waiting: Posts that wait now.
        busy: Batches under way now.
    """

    batches: int
    posts: int
    waiting: int
    busy: int


@dataclass(slots=True, eq=False)
class _Pending:
    """Hold a post on its way, and what its callers wait for."""

    author_id: int
    text: str
    key: str | None
    fingerprint: bytes
    since: float
    outcome: asyncio.Future[Published] = field(default_factory=asyncio.Future)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


_Batch = list[tuple[_Pending, NewPost]]


class GroupCommit:
    """Write posts in shared transactions.

    Args:
        publish: Writes a batch; may be repeated with the same ids.
        ids: Where ids come from; they are drawn when a batch leaves, so that ids and commits keep
            nearly the same order.
        policy: When a batch leaves.
        deadline: Seconds to go on asking what became of a batch in doubt.
        backoff: Waits between those questions.
    """

    def __init__(
        self,
        publish: Publish,
        ids: SnowflakeIds,
        *,
        policy: BatchPolicy | None = None,
        deadline: float = 5.0,
        backoff: Backoff | None = None,
    ) -> None:
        if not deadline > 0:
            raise ValueError(f"deadline must be above 0 s, not {deadline}")
        self._publish = publish
        self._ids = ids
        self._policy = policy or BatchPolicy()
        self._deadline = deadline
        self._backoff = backoff or Backoff(base=0.05, cap=0.5, jitter="equal")
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._waiting: deque[_Pending] = deque()
        self._keyed: dict[tuple[int, str], _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._callers = 0
        self._closing = False
        self._batches = 0
        self._posts = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what waits, wait for it up to `deadline`, then give up what is left."""
        self._closing = True
        try:
            async with asyncio.timeout(self._deadline):
                while self._waiting or self._tasks:
                    self._flush()
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            await self._give_up()

    async def post(
        self, author_id: int, text: str, *, key: str | None = None, fingerprint: bytes = b""
    ) -> Published:
        """Return when the post is committed.

        A caller that is cancelled leaves the post to its fate and harms no other. Requests with
        the same key and fingerprint share one outcome.

        Args:
            author_id: Who writes.
            text: What.
            key: Idempotency key; a key that wrote a post before gives that post back.
            fingerprint: Of the request that the key stands for.

        Raises:
            TooManyPostsError: Not tried: too many posts wait, or this is closing.
            RecordUnavailableError: Not written.
            RecordRefusedError: This post breaks a rule of the record.
            RecordInDoubtError: It may be written; repeating with the same key is safe.
            ClockWentBack: Not tried: the clock stepped back too far to draw an id.
        """
        if self._closing or max(self._callers, len(self._waiting)) >= self._policy.max_waiting:
            raise TooManyPostsError("too many posts wait to be committed", retry_after=1.0)
        self._callers += 1
        try:
            pending = await self._enter(author_id, text, key, fingerprint)
            return await asyncio.shield(pending.outcome)
        finally:
            self._callers -= 1

    def snapshot(self) -> GroupCommitStats:
        """Return the counts of this moment."""
        return GroupCommitStats(
            batches=self._batches,
            posts=self._posts,
            waiting=len(self._waiting),
            busy=len(self._tasks),
        )

    async def _enter(
        self, author_id: int, text: str, key: str | None, fingerprint: bytes
    ) -> _Pending:
        """Join the same request if it is on its way, wait for another one with its key."""
        while key is not None and (twin := self._keyed.get((author_id, key))) is not None:
            if twin.fingerprint == fingerprint:
                return twin
            await asyncio.wait([twin.outcome])
        pending = _Pending(author_id, text, key, fingerprint, self._loop.time())
        if key is not None:
            self._keyed[author_id, key] = pending
            pending.outcome.add_done_callback(lambda _: self._keyed.pop((author_id, key), None))
        self._waiting.append(pending)
        self._arm()
        return pending

    def _arm(self) -> None:
        """Ask the policy when to send, and see that it happens."""
        oldest = self._waiting[0].since if self._waiting else 0.0
        due = self._policy.flush_at(
            waiting=len(self._waiting), oldest=oldest, busy=len(self._tasks)
        )
        if due is None or self._soon:
            return
        if due <= self._loop.time():
            self._soon = True
            self._loop.call_soon(self._flush)
        elif self._timer is None:
            self._timer = self._loop.call_at(due, self._flush)

    def _flush(self) -> None:
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and len(self._tasks) < self._policy.lanes:
            count = min(len(self._waiting), self._policy.max_batch)
            batch = [self._waiting.popleft() for _ in range(count)]
            task = self._loop.create_task(self._commit(batch))
            self._tasks.add(task)
            task.add_done_callback(self._free)
        self._arm()

    def _free(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._arm()

    async def _commit(self, batch: list[_Pending]) -> None:
        try:
            ids = self._ids.many(len(batch))
            await self._write(
                [
                    (one, NewPost(id_, one.author_id, one.text, one.key, one.fingerprint))
                    for one, id_ in zip(batch, ids, strict=True)
                ]
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, every caller must hear it
            for pending in batch:
                pending.fail(error)
        finally:
            for pending in batch:
                pending.fail(RecordInDoubtError("shut down before the record answered"))

    async def _write(self, batch: _Batch) -> None:
        """Write a batch; if it is refused, find the culprits by halving and spare the others."""
        try:
            outcomes = await self._publish_surely([post for _, post in batch])
        except RecordRefusedError as error:
            if len(batch) == 1:
                batch[0][0].fail(error)
                return
            half = len(batch) // 2
            await self._write(batch[:half])
            await self._write(batch[half:])
            return
        self._posts += len(batch)
        for (pending, _), outcome in zip(batch, outcomes, strict=True):
            if not pending.outcome.done():
                pending.outcome.set_result(outcome)

    async def _publish_surely(self, posts: Sequence[NewPost]) -> list[Published]:
        """Publish, and while in doubt ask again until `deadline`."""
        give_up = self._loop.time() + self._deadline
        doubt: RecordInDoubtError | None = None
        attempt = 0
        while True:
            self._batches += 1
            try:
                return await self._publish(posts)
            except RecordInDoubtError as error:
                doubt = error
            except RecordUnavailableError:
                if doubt is None:
                    raise
            attempt += 1
            delay = self._backoff.delay(attempt, self._random)
            if self._loop.time() + delay >= give_up:
                raise doubt
            await asyncio.sleep(delay)

    async def _give_up(self) -> None:
        for pending in self._waiting:
            pending.fail(RecordUnavailableError("shut down before this post was sent"))
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
