"""The record on a real PostgreSQL: all or nothing, in order, and honest about what happened."""

import asyncio
import random

import asyncpg
import pytest

from loadpath.core.ids import SnowflakeIds
from loadpath.local import Postgres, postgres
from loadpath.systems.timeline.api.groupcommit import GroupCommit
from loadpath.systems.timeline.record.model import NewPost, Published
from loadpath.systems.timeline.record.postgres import (
    IdTakenError,
    NameTakenError,
    Record,
    RecordInDoubtError,
    RecordRefusedError,
    RecordUnavailableError,
    UnknownAuthorError,
)


@pytest.fixture
def ids(record: Record) -> SnowflakeIds:
    """Return ids of this process's node."""
    return SnowflakeIds(record.node, after=record.newest)


async def outbox(dsn: str) -> list[tuple[int, int, int]]:
    """Return the log: kind, actor, subject, in order."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            'SELECT kind, actor_id, subject_id FROM outbox ORDER BY "offset"'
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


async def test_users_have_unique_names(record: Record) -> None:
    """A second user of a name is refused, and one with a name that is none."""
    alice = await record.create_user("alice", None)
    assert await record.user("alice") == alice
    assert await record.user("bob") is None
    with pytest.raises(NameTakenError, match="alice"):
        await record.create_user("alice", None)
    with pytest.raises(RecordRefusedError):
        await record.create_user("Alice!", None)


async def test_a_user_without_a_password_cannot_log_in(record: Record) -> None:
    """Users of a load run have no password hash, so no password fits them."""
    await record.create_user("robot", None)
    human = await record.create_user("human", "hash")
    assert await record.password_hash("robot") is None
    assert await record.password_hash("human") == (human.id, "hash")


async def test_a_post_and_its_event_are_there_together(
    record: Record, record_dsn: str, ids: SnowflakeIds
) -> None:
    """Every post of a batch is readable and in the log, in the order of the ids."""
    alice = await record.create_user("alice", None)
    posts = [NewPost(ids.next(), alice.id, f"post {n}") for n in range(3)]
    published = await record.publish(posts[::-1])
    assert [each.id for each in published] == [post.id for post in posts[::-1]]
    found = await record.posts_by(alice.id, limit=10)
    assert [(post.author, post.text) for post in found] == [
        ("alice", "post 2"),
        ("alice", "post 1"),
        ("alice", "post 0"),
    ]
    assert await outbox(record_dsn) == [(1, alice.id, post.id) for post in posts]


async def test_publishing_again_changes_nothing(
    record: Record, record_dsn: str, ids: SnowflakeIds
) -> None:
    """Whoever is in doubt may send the same posts again, with keys and without, mixed with new."""
    alice = await record.create_user("alice", None)
    old = [NewPost(ids.next(), alice.id, "a"), NewPost(ids.next(), alice.id, "b", key="k")]
    first = await record.publish(old)
    both = await record.publish([*old, NewPost(ids.next(), alice.id, "c")])
    assert both[:2] == first
    assert [post.text for post in await record.posts_by(alice.id, limit=10)] == ["c", "b", "a"]
    assert len(await outbox(record_dsn)) == 3


async def test_a_key_writes_once(record: Record, record_dsn: str, ids: SnowflakeIds) -> None:
    """The same key gives the first post back, twice in one batch and in a later one."""
    alice = await record.create_user("alice", None)

    def request(text: str) -> NewPost:
        return NewPost(ids.next(), alice.id, text, key="k", fingerprint=text.encode())

    twins = await record.publish([request("hi"), request("hi")])
    again, other = await record.publish([request("hi")]) + await record.publish([request("ho")])
    assert {each.id for each in (*twins, again, other)} == {twins[0].id}
    assert [again.same, other.same] == [True, False]
    assert len(await outbox(record_dsn)) == 1


async def test_one_key_from_many_processes_at_once_writes_once(
    record: Record, record_dsn: str
) -> None:
    """Concurrent transactions with the same keys, in any order, neither double nor deadlock."""
    alice = await record.create_user("alice", None)
    keys = [f"{n}" for n in range(20)]

    async def send(node: int) -> list[int]:
        shuffled = random.Random(node).sample(keys, len(keys))
        drawn = SnowflakeIds(node)
        posts = [NewPost(drawn.next(), alice.id, key, key=key) for key in shuffled]
        published = dict(zip(shuffled, await record.publish(posts), strict=True))
        return [published[key].id for key in keys]

    answers = await asyncio.gather(*(send(node) for node in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await outbox(record_dsn)) == len(keys)


async def test_an_id_of_another_post_is_refused(record: Record, ids: SnowflakeIds) -> None:
    """Two processes that drew ids as one node are told so; nobody's post is lost silently."""
    alice = await record.create_user("alice", None)
    (first,) = await record.publish([NewPost(ids.next(), alice.id, "mine")])
    with pytest.raises(IdTakenError, match="same node"):
        await record.publish([NewPost(first.id, alice.id, "yours")])


async def test_an_unknown_author_is_refused(
    record: Record, record_dsn: str, ids: SnowflakeIds
) -> None:
    """A batch with a post by nobody leaves nothing behind."""
    alice = await record.create_user("alice", None)
    with pytest.raises(UnknownAuthorError):
        await record.publish([NewPost(ids.next(), alice.id, "a"), NewPost(ids.next(), 99, "b")])
    assert await record.posts_by(alice.id, limit=1) == []
    assert await outbox(record_dsn) == []


async def test_group_commit_spares_the_neighbours(record: Record) -> None:
    """On the real record too, one post by nobody fails alone among fifty."""
    alice = await record.create_user("alice", None)
    async with GroupCommit(record.publish, SnowflakeIds(record.node)) as commits:
        results = await asyncio.gather(
            *(commits.post(99 if n == 17 else alice.id, f"{n}") for n in range(50)),
            return_exceptions=True,
        )
    assert [n for n, each in enumerate(results) if isinstance(each, UnknownAuthorError)] == [17]
    assert len(await record.posts_by(alice.id, limit=100)) == 49


async def test_follows_change_once(record: Record, record_dsn: str) -> None:
    """Following twice is one event; unfollowing a stranger is none; nobody follows themselves."""
    alice, bob = [await record.create_user(name, None) for name in ("alice", "bob")]
    await record.follow(alice.id, bob.id)
    await record.follow(alice.id, bob.id)
    assert await record.follows(alice.id, bob.id)
    assert not await record.follows(bob.id, alice.id)
    await record.unfollow(alice.id, bob.id)
    await record.unfollow(alice.id, bob.id)
    assert not await record.follows(alice.id, bob.id)
    assert await outbox(record_dsn) == [(2, alice.id, bob.id), (3, alice.id, bob.id)]
    with pytest.raises(RecordRefusedError):
        await record.follow(alice.id, alice.id)


async def test_home_is_pulled_newest_first(record: Record, ids: SnowflakeIds) -> None:
    """The record itself answers what rings would show, page by page."""
    alice, bob, carol = [await record.create_user(n, None) for n in ("alice", "bob", "carol")]
    posts = [NewPost(ids.next(), author.id, "x") for author in (bob, carol) * 5]
    await record.publish(posts)
    await record.follow(alice.id, bob.id)
    expected = [post.id for post in posts if post.author_id == bob.id][::-1]
    assert await record.home(alice.id, limit=3) == expected[:3]
    assert await record.home(alice.id, before=expected[2], limit=9) == expected[3:]


async def test_old_keys_are_forgotten_in_steps(record: Record, ids: SnowflakeIds) -> None:
    """A sweep deletes at most `limit` keys, and none that are young; freed keys write anew."""
    alice = await record.create_user("alice", None)
    await record.publish([NewPost(ids.next(), alice.id, "x", key=f"{n}") for n in range(5)])
    assert await record.forget_keys() == 0
    assert await record.forget_keys(older_than=-1.0, limit=3) == 3
    assert await record.forget_keys(older_than=-1.0, limit=3) == 2
    await record.publish([NewPost(ids.next(), alice.id, "x", key="0")])
    assert len(await record.posts_by(alice.id, limit=10)) == 6


async def test_every_opening_draws_a_node_of_its_own(record_dsn: str) -> None:
    """Processes that start one after the other never share a node number."""
    nodes = []
    for _ in range(3):
        async with Record.open(record_dsn, connections=1) as opened:
            nodes.append(opened.node)
    assert len(set(nodes)) == 3


async def test_an_unreachable_record_is_told_at_once() -> None:
    """Opening where nothing listens fails with the next step, not with a driver's words."""
    with pytest.raises(RecordUnavailableError, match="PostgreSQL does not answer"):
        async with Record.open("postgresql://postgres:x@127.0.0.1:1/none?sslmode=disable"):
            pass


async def test_a_restart_of_postgresql_is_survived() -> None:
    """While it is down, errors say that nothing happened; when it is back, everything works."""
    async with postgres(relaxed=True) as server, Record.open(server.dsn, patience=2.0) as record:
        alice = await record.create_user("alice", None)
        ids = SnowflakeIds(record.node)
        await server.kill()
        with pytest.raises(RecordUnavailableError):
            await record.user("alice")
        with pytest.raises(RecordUnavailableError):
            await record.publish([NewPost(ids.next(), alice.id, "x")])
        await server.start()
        assert await record.user("alice") == alice
        await record.publish([NewPost(ids.next(), alice.id, "x")])


async def test_a_lost_connection_in_mid_commit_is_resolved(
    timeline_postgres: Postgres, record: Record, record_dsn: str
) -> None:
    """Sessions are killed while posts are committed: each post that was answered is there once."""
    alice = await record.create_user("alice", None)
    answered: dict[str, int] = {}
    killer = await asyncpg.connect(timeline_postgres.dsn)
    database = record_dsn.rpartition("/")[2].partition("?")[0]

    async def kill() -> None:
        for _ in range(20):
            await asyncio.sleep(0.02)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = $1 AND state = 'active'",
                database,
            )

    async def post(n: int) -> None:
        for m in range(20):
            answered[f"{n}/{m}"] = (await commits.post(alice.id, f"{n}/{m}")).id

    async with GroupCommit(record.publish, SnowflakeIds(record.node)) as commits:
        await asyncio.gather(kill(), *(post(n) for n in range(30)))
    await killer.close()
    found = await record.posts_by(alice.id, limit=1_000)
    assert {post.text: post.id for post in found} == answered
    assert len(found) == len(await outbox(record_dsn)) == 600


@pytest.mark.usefixtures("record")
async def test_the_log_is_in_commit_order(record_dsn: str) -> None:
    """A reader that asks only for offsets beyond its last one never misses an event.

    Forty writers draw offsets at once; some dawdle before they commit, some roll back.
    """
    writers, rounds = 40, 12
    done = asyncio.Event()
    committed: set[int] = set()
    chance = random.Random(7)

    async def write(writer: int) -> None:
        connection = await asyncpg.connect(record_dsn)
        try:
            for round_ in range(rounds):
                subject = writer * rounds + round_
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute(
                    "INSERT INTO outbox (kind, actor_id, subject_id) VALUES (1, 1, $1)", subject
                )
                if chance.random() < 0.3:
                    await connection.execute("SELECT pg_sleep($1)", chance.random() * 0.01)
                if chance.random() < 0.2:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    committed.add(subject)
        finally:
            await connection.close()

    async def tail() -> list[int]:
        connection = await asyncpg.connect(record_dsn)
        last, seen = 0, []
        try:
            while True:
                ending = done.is_set()
                rows = await connection.fetch(
                    'SELECT "offset", subject_id FROM outbox WHERE "offset" > $1 '
                    'ORDER BY "offset" LIMIT 7',
                    last,
                )
                if rows:
                    last = rows[-1][0]
                    seen += [row[1] for row in rows]
                elif ending:
                    return seen
        finally:
            await connection.close()

    tails = [asyncio.create_task(tail()) for _ in range(3)]
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    done.set()
    for seen in await asyncio.gather(*tails):
        assert len(seen) == len(set(seen))
        assert set(seen) == committed


async def test_a_commit_whose_second_answer_is_missing_is_in_doubt(
    record: Record, ids: SnowflakeIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One replayed key needs a second question: when that fails, nobody is told "not written"."""
    alice = await record.create_user("alice", None)
    first = NewPost(ids.next(), alice.id, "first", key="k")
    await record.publish([first])
    batch = [NewPost(ids.next(), alice.id, "first", key="k"), NewPost(ids.next(), alice.id, "new")]

    async def away(_posts: object) -> dict[int, Published]:
        raise RecordUnavailableError("gone between two statements")

    with monkeypatch.context() as broken:
        broken.setattr(record, "_by_key", away)
        with pytest.raises(RecordInDoubtError):
            await record.publish(batch)
    assert [each.id for each in await record.publish(batch)] == [first.id, batch[1].id]
    assert len(await record.posts_by(alice.id, limit=10)) == 2


async def test_an_id_of_somebody_elses_equal_post_is_taken(
    record: Record, ids: SnowflakeIds
) -> None:
    """The same id and the same words by another author are not this author's post."""
    alice = await record.create_user("alice", None)
    bob = await record.create_user("bob", None)
    post = NewPost(ids.next(), alice.id, "hello")
    await record.publish([post])
    with pytest.raises(IdTakenError):
        await record.publish([NewPost(post.id, bob.id, "hello")])
