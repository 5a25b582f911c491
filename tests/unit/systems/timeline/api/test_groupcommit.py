"""Posts that meet share a commit, and none pays for another's trouble."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.backoff import Backoff
from loadpath.core.ids import SnowflakeIds
from loadpath.systems.timeline.api.groupcommit import BatchPolicy, GroupCommit, TooManyPostsError
from loadpath.systems.timeline.record.model import NewPost, Published
from loadpath.systems.timeline.record.postgres import (
    RecordError,
    RecordInDoubtError,
    RecordRefusedError,
    RecordUnavailableError,
)

QUICKLY = Backoff(base=0.001, cap=0.002, jitter="none")


class MemoryRecord:
    """Publish into memory as the record would; fail when a test says so.

    Attributes:
        batches: Texts of every batch that was sent.
        posts: What was written.
        failures: Errors of the next sends; True writes first and then loses the answer.
        gate: Holds sends back while it is clear.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.posts: dict[int, NewPost] = {}
        self.failures: list[RecordError | bool] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._keys: dict[tuple[int, str], NewPost] = {}

    async def publish(self, posts: Sequence[NewPost]) -> list[Published]:
        """Write a batch in one transaction."""
        self.batches.append([post.text for post in posts])
        await self.gate.wait()
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, RecordError):
            raise failure
        if any("poison" in post.text for post in posts):
            raise RecordRefusedError("poison")
        written = [self._write(post) for post in posts]
        if failure:
            raise RecordInDoubtError("the answer was lost")
        return written

    def _write(self, post: NewPost) -> Published:
        if post.key is not None:
            first = self._keys.setdefault((post.author_id, post.key), post)
            if first.id != post.id:
                same = first.fingerprint == post.fingerprint
                return Published(first.id, "a", same=same)
        self.posts[post.id] = post
        return Published(post.id, "a")

    @property
    def texts(self) -> list[str]:
        """Texts written, in the order of their ids."""
        return [self.posts[id_].text for id_ in sorted(self.posts)]


@asynccontextmanager
async def committing(
    record: MemoryRecord, *, policy: BatchPolicy | None = None, deadline: float = 1.0
) -> AsyncIterator[GroupCommit]:
    """Give a group commit over a record in memory."""
    ids = SnowflakeIds(1)
    async with GroupCommit(
        record.publish, ids, policy=policy, deadline=deadline, backoff=QUICKLY
    ) as commits:
        yield commits


async def until_waiting(commits: GroupCommit, count: int) -> None:
    """Return when so many posts wait."""
    async with asyncio.timeout(5):
        while commits.snapshot().waiting != count:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.001)


@given(
    waiting=st.integers(0, 2_000),
    busy=st.integers(0, 4),
    lanes=st.integers(1, 4),
    max_batch=st.integers(1, 1_000),
    max_wait=st.floats(0, 0.1),
)
def test_when_a_batch_leaves(
    waiting: int, busy: int, lanes: int, max_batch: int, max_wait: float
) -> None:
    """At once when idle or full, after `max_wait` at the latest, never without a post or a lane."""
    policy = BatchPolicy(lanes=lanes, max_batch=max_batch, max_wait=max_wait)
    due = policy.flush_at(waiting=waiting, oldest=10.0, busy=busy)
    if not waiting or busy >= lanes:
        assert due is None
    elif not busy or waiting >= max_batch:
        assert due == 10.0
    else:
        assert due == 10.0 + max_wait


async def test_an_idle_system_commits_at_once() -> None:
    """A lone post does not wait for company."""
    record = MemoryRecord()
    async with committing(record, policy=BatchPolicy(max_wait=60.0)) as commits:
        async with asyncio.timeout(1):
            published = await commits.post(1, "hi")
        assert record.posts[published.id].text == "hi"


async def test_posts_that_meet_share_a_commit() -> None:
    """A hundred posts at once are one transaction, in the order in which they came."""
    record = MemoryRecord()
    async with committing(record) as commits:
        await asyncio.gather(*(commits.post(1, f"{n}") for n in range(100)))
        stats = commits.snapshot()
    assert record.texts == [f"{n}" for n in range(100)]
    assert (stats.batches, stats.posts) == (1, 100)


async def test_a_second_batch_leaves_after_the_longest_wait() -> None:
    """While one commit is under way, the next leaves when its oldest post has waited long."""
    record = MemoryRecord()
    record.gate.clear()
    async with committing(record, policy=BatchPolicy(max_wait=0.05)) as commits:
        first = asyncio.create_task(commits.post(1, "first"))
        await asyncio.sleep(0.01)
        began = asyncio.get_running_loop().time()
        second = asyncio.create_task(commits.post(1, "second"))
        while len(record.batches) < 2:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.001)
        assert 0.04 <= asyncio.get_running_loop().time() - began < 1.0
        record.gate.set()
        await asyncio.gather(first, second)


async def test_batches_are_bounded() -> None:
    """No transaction has more than `max_batch` posts, and no more than `lanes` are under way."""
    record = MemoryRecord()
    record.gate.clear()
    async with committing(record, policy=BatchPolicy(max_batch=7, lanes=2)) as commits:
        posts = [asyncio.create_task(commits.post(1, f"{n}")) for n in range(50)]
        await until_waiting(commits, 36)
        assert [len(batch) for batch in record.batches] == [7, 7]
        record.gate.set()
        await asyncio.gather(*posts)
    assert max(len(batch) for batch in record.batches) == 7
    assert record.texts == [f"{n}" for n in range(50)]


async def test_the_queue_is_bounded() -> None:
    """A post too many is refused before it was tried, and says when to come back."""
    record = MemoryRecord()
    record.gate.clear()
    async with committing(record, policy=BatchPolicy(max_waiting=3)) as commits:
        posts = [asyncio.create_task(commits.post(1, f"{n}")) for n in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(TooManyPostsError) as refused:
            await commits.post(1, "one too many")
        assert refused.value.retry_after == 1.0
        record.gate.set()
        await asyncio.gather(*posts)
        await commits.post(1, "later")
    assert "one too many" not in record.texts


async def test_a_cancelled_post_harms_no_other() -> None:
    """Of posts in one batch, the callers that stay get their answers."""
    record = MemoryRecord()
    record.gate.clear()
    async with committing(record) as commits:
        posts = [asyncio.create_task(commits.post(1, f"{n}")) for n in range(4)]
        await asyncio.sleep(0.01)
        posts[1].cancel()
        await asyncio.sleep(0)
        record.gate.set()
        results = await asyncio.gather(*posts, return_exceptions=True)
    assert [type(result) for result in results] == [
        Published,
        asyncio.CancelledError,
        Published,
        Published,
    ]


async def test_a_poisonous_post_fails_alone() -> None:
    """Two posts that the record refuses do not keep their forty neighbours from being written."""
    record = MemoryRecord()
    texts = [f"poison {n}" if n in {5, 29} else f"{n}" for n in range(42)]
    async with committing(record) as commits:
        results = await asyncio.gather(
            *(commits.post(1, text) for text in texts), return_exceptions=True
        )
    failed = [n for n, result in enumerate(results) if isinstance(result, RecordRefusedError)]
    assert failed == [5, 29]
    assert record.texts == [text for text in texts if "poison" not in text]


async def test_doubt_is_resolved_with_the_same_ids() -> None:
    """When the answer to a commit is lost, the post is sent again and is there once."""
    record = MemoryRecord()
    record.failures = [True, RecordUnavailableError("down"), RecordInDoubtError("down again")]
    async with committing(record) as commits:
        published = await commits.post(1, "once")
        assert commits.snapshot().batches == 4
    assert [*record.posts] == [published.id]


async def test_doubt_that_lasts_is_told() -> None:
    """After the deadline the caller hears that the post may be there."""
    record = MemoryRecord()
    record.failures = [RecordInDoubtError("lost")] + [RecordUnavailableError("down")] * 10_000
    async with committing(record, deadline=0.05) as commits:
        with pytest.raises(RecordInDoubtError):
            await commits.post(1, "maybe")


async def test_without_doubt_there_is_no_waiting() -> None:
    """A record that was never reached is told at once: nothing was written."""
    record = MemoryRecord()
    record.failures = [RecordUnavailableError("down")]
    async with committing(record) as commits:
        with pytest.raises(RecordUnavailableError):
            await commits.post(1, "no")
        assert len(record.batches) == 1
        await commits.post(1, "up again")
    assert record.texts == ["up again"]


async def test_the_same_request_twice_at_once_is_one_post() -> None:
    """A client that sends a request again before it was answered gets the same answer twice."""
    record = MemoryRecord()
    async with committing(record) as commits:
        first, second = await asyncio.gather(
            *(commits.post(1, "hi", key="k", fingerprint=b"hi") for _ in range(2))
        )
    assert first == second
    assert record.batches == [["hi"]]


async def test_a_key_on_its_way_with_another_body_is_told_apart() -> None:
    """The second request waits for the first, and hears that the key is another post's."""
    record = MemoryRecord()
    async with committing(record) as commits:
        first, second = await asyncio.gather(
            commits.post(1, "hi", key="k", fingerprint=b"hi"),
            commits.post(1, "ho", key="k", fingerprint=b"ho"),
        )
    assert first.same
    assert not second.same
    assert record.texts == ["hi"]


async def test_keys_of_different_authors_do_not_meet() -> None:
    """A key belongs to its author."""
    record = MemoryRecord()
    async with committing(record) as commits:
        await asyncio.gather(*(commits.post(n, f"{n}", key="k") for n in (1, 2)))
    assert record.texts == ["1", "2"]


async def test_a_key_can_be_used_again_after_a_failure() -> None:
    """A key whose post was not written is free, and nothing of it stays in memory."""
    record = MemoryRecord()
    record.failures = [RecordUnavailableError("down")]
    async with committing(record) as commits:
        with pytest.raises(RecordUnavailableError):
            await commits.post(1, "hi", key="k")
        assert (await commits.post(1, "hi", key="k")).same
        assert not commits._keyed


async def test_closing_commits_what_waits() -> None:
    """Posts that were accepted before the end are written before the end."""
    record = MemoryRecord()
    record.gate.clear()
    async with committing(record, policy=BatchPolicy(max_batch=1)) as commits:
        posts = [asyncio.create_task(commits.post(1, f"{n}")) for n in range(5)]
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.01, record.gate.set)
    assert len([await post for post in posts]) == 5
    with pytest.raises(TooManyPostsError):
        await commits.post(1, "late")


async def test_closing_does_not_wait_for_ever() -> None:
    """What was sent and not answered by the deadline is in doubt, what was not sent is not."""
    record = MemoryRecord()
    record.gate.clear()
    policy = BatchPolicy(max_batch=1, lanes=1)
    async with committing(record, policy=policy, deadline=0.05) as commits:
        posts = [asyncio.create_task(commits.post(1, f"{n}")) for n in range(2)]
        await asyncio.sleep(0.01)
    sent, unsent = await asyncio.gather(*posts, return_exceptions=True)
    assert isinstance(sent, RecordInDoubtError)
    assert isinstance(unsent, RecordUnavailableError)


async def test_ids_follow_the_order_of_arrival() -> None:
    """Whoever posts later has the higher id, also across batches."""
    record = MemoryRecord()
    async with committing(record, policy=BatchPolicy(max_batch=3)) as commits:
        published = await asyncio.gather(*(commits.post(1, f"{n}") for n in range(20)))
    assert all(a.id < b.id for a, b in pairwise(published))


@pytest.mark.parametrize("wrong", [{"lanes": 0}, {"max_batch": 0}, {"max_waiting": 0}])
def test_the_policy_is_checked(wrong: dict[str, int]) -> None:
    """A policy under which nothing can leave is refused when given."""
    with pytest.raises(ValueError, match="at least 1"):
        BatchPolicy(**wrong)  # type: ignore[arg-type] # max_wait is not among them
