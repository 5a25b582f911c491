"""Behaviour of putting a generated graph into a real record."""

import asyncio

import asyncpg
import numpy as np
import pytest

from loadpath.systems.timeline.load.copying import copied
from loadpath.systems.timeline.load.population import Population, chunks
from loadpath.systems.timeline.load.seeding import OtherGraphError, Seeding, seed
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.services import silent

GRAPH = Population(users=1_500, followers=20, seed=2)


async def edges_of(connection: asyncpg.Connection) -> np.ndarray:
    """Return every follow of the record, in the order of its key."""
    query = "SELECT follower_id, followee_id FROM follows ORDER BY 1, 2"
    return np.column_stack(await copied(connection, query, widths=(4, 4)))


async def test_the_record_holds_exactly_the_generated_graph(
    record: Record, record_dsn: str
) -> None:
    """Every edge, every user, the key, and ids go on after the last user."""
    told: list[Seeding] = []
    done = await seed(record_dsn, GRAPH, told.append)
    wanted = np.concatenate([np.column_stack([c.followers, c.followees]) for c in chunks(GRAPH)])
    connection = await asyncpg.connect(record_dsn)
    try:
        assert np.array_equal(await edges_of(connection), wanted)
        keys = await connection.fetchval(
            "SELECT count(*) FROM pg_constraint WHERE conname = 'follows_pkey' AND contype = 'p'"
        )
        assert keys == 1
    finally:
        await connection.close()
    assert (await record.create_user("somebody", None)).id == GRAPH.users + 1
    assert done.edges == len(wanted)
    assert {event.step for event in told} >= {"users", "follows", "key", "statistics", "done"}


@pytest.mark.usefixtures("record")
async def test_the_same_graph_is_reused_and_another_refused(record_dsn: str) -> None:
    """Seeding twice is seeding once; nothing that is there is overwritten."""
    first = await seed(record_dsn, GRAPH, silent)
    again = await seed(record_dsn, GRAPH, silent)
    assert again.reused
    assert again.edges == first.edges
    with pytest.raises(OtherGraphError, match="another graph"):
        await seed(record_dsn, Population(users=1_500, followers=20, seed=3), silent)


async def test_users_of_somebody_else_are_left_alone(record: Record, record_dsn: str) -> None:
    """A record that people use is no place for a generated graph."""
    await record.create_user("person", None)
    with pytest.raises(OtherGraphError, match="no load run made"):
        await seed(record_dsn, GRAPH, silent)
    assert await record.user("person") is not None


@pytest.mark.usefixtures("record")
async def test_a_cancelled_seeding_leaves_nothing(record_dsn: str) -> None:
    """Ctrl-C while the graph is built: the next start begins with an empty record."""
    graph = Population(users=20_000, followers=100, seed=2)
    began = asyncio.Event()

    def tell(seeding: Seeding) -> None:
        if seeding.step == "follows" and seeding.edges:
            began.set()

    task = asyncio.create_task(seed(record_dsn, graph, tell))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = await seed(record_dsn, GRAPH, silent)
    assert not done.reused
