"""The quorum bank keeps every promise while its real servers are cut, stopped and killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from random import Random

import asyncpg
import pytest

from loadpath.caplab.bank import (
    ISSUER,
    BankUnavailableError,
    InsufficientFundsError,
    KeyReusedError,
    Leader,
    QuorumBank,
    Transfer,
    TransferInDoubtError,
    TransferVoidError,
    UnknownAccountError,
    create_bank,
    quorum_settings,
)
from loadpath.caplab.bank.sessions import Sessions
from loadpath.caplab.cluster import Cluster, cluster, streaming
from loadpath.caplab.faults import paused

ACCOUNTS = ("a", "b", "c", "d")
FUNDS = 1_000
LEADER = Leader(name="n1", epoch=1)


@pytest.fixture(scope="module")
async def nodes() -> AsyncIterator[Cluster]:
    """Give three nodes with a bank."""
    async with cluster(3, settings=quorum_settings(3)) as nodes:
        async with asyncio.timeout(30):
            await streaming(nodes.nodes["n1"].server, 2)
            await create_bank(nodes, LEADER)
        yield nodes


@pytest.fixture
async def banks(nodes: Cluster) -> AsyncIterator[dict[str, QuorumBank]]:
    """Give the bank as each node sees it; afterwards the network is whole again."""
    async with AsyncExitStack() as stack:
        yield {
            name: QuorumBank(
                nodes,
                name,
                await stack.enter_async_context(Sessions()),
                leader=lambda: LEADER,
                deadline=1.0,
            )
            for name in nodes.names
        }
        nodes.network.resolve_partition()


@pytest.fixture
async def bank(nodes: Cluster, banks: dict[str, QuorumBank]) -> QuorumBank:
    """Give a bank whose accounts hold the same."""
    bank = banks["n1"]
    await settled(nodes, bank)
    for name in ACCOUNTS:
        await bank.open_account(name)
        held = (await bank.balances())[name]
        if held < FUNDS:
            await bank.transfer(order(ISSUER, name, FUNDS - held))
        elif held > FUNDS:
            await bank.transfer(order(name, ISSUER, held - FUNDS))
    return bank


_made = 0


def order(source: str, target: str, amount: int) -> Transfer:
    """Return a transfer with a key of its own."""
    global _made  # noqa: PLW0603 - keys differ in the whole run
    _made += 1
    return Transfer(key=f"k{_made}", source=source, target=target, amount=amount)


async def settled(nodes: Cluster, bank: QuorumBank) -> None:
    """Wait until the bank answers."""
    async with asyncio.timeout(60):
        await streaming(nodes.nodes["n1"].server, 2)
        while not await bank.check_availability():  # noqa: ASYNC110 - on servers
            await asyncio.sleep(0.05)


async def audit(nodes: Cluster) -> set[str]:
    """Check the books on the primary, and return the keys of what was done."""
    connection = await asyncpg.connect(nodes.dsn("n1", "n1"))
    try:
        assert await connection.fetchval("SELECT sum(balance) FROM accounts") == 0
        assert await connection.fetchval("SELECT coalesce(sum(amount), 0) FROM entries") == 0
        wrong = await connection.fetch(
            "SELECT name FROM accounts WHERE balance <> "
            "(SELECT coalesce(sum(amount), 0) FROM entries WHERE account = name)"
        )
        assert not wrong
        done = await connection.fetch("SELECT key FROM transfers WHERE outcome = 'done'")
        return {row["key"] for row in done}
    finally:
        await connection.close()


async def test_a_transfer_moves_money_once(bank: QuorumBank, nodes: Cluster) -> None:
    """The same key again answers the same and moves nothing; another one with it is refused."""
    once = order("a", "b", 100)
    await bank.transfer(once)
    await bank.transfer(once)
    balances = await bank.balances()
    assert (balances["a"], balances["b"]) == (FUNDS - 100, FUNDS + 100)
    with pytest.raises(KeyReusedError):
        await bank.transfer(Transfer(key=once.key, source="a", target="b", amount=1))
    assert once.key in await audit(nodes)


async def test_what_cannot_be_is_refused_for_good(bank: QuorumBank, nodes: Cluster) -> None:
    """No overdraft, no money to nowhere; the key keeps its answer."""
    much = order("a", "b", FUNDS + 1)
    for _ in range(2):
        with pytest.raises(InsufficientFundsError):
            await bank.transfer(much)
    with pytest.raises(UnknownAccountError):
        await bank.transfer(order("a", "nobody", 1))
    assert (await bank.balances())["a"] == FUNDS
    assert await bank.resolve(much.key) == "insufficient"
    await audit(nodes)


async def test_crossing_transfers_never_deadlock(bank: QuorumBank, nodes: Cluster) -> None:
    """A to B and B to A at once, many times: all are done."""
    orders = [order(*pair, 1) for _ in range(30) for pair in (("a", "b"), ("b", "a"))]
    await asyncio.gather(*(bank.transfer(each) for each in orders))
    assert {each.key for each in orders} <= await audit(nodes)


async def test_a_cut_off_standby_changes_nothing(bank: QuorumBank, nodes: Cluster) -> None:
    """Two of three nodes are a majority."""
    nodes.network.create_partition(["n3"])
    await bank.transfer(order("a", "b", 1))
    assert await bank.check_availability()


async def test_a_cut_off_primary_refuses_and_its_reads_too(
    bank: QuorumBank, banks: dict[str, QuorumBank], nodes: Cluster
) -> None:
    """Within the deadline each transfer is refused or in doubt, a read never answers."""
    nodes.network.create_partition(["n1"])
    doubtful = order("a", "b", 1)
    with pytest.raises((BankUnavailableError, TransferInDoubtError)):
        await bank.transfer(doubtful)
    with pytest.raises(BankUnavailableError):
        await bank.balances()
    with pytest.raises(BankUnavailableError):
        await banks["n2"].transfer(order("c", "d", 1))
    assert not await bank.check_availability()
    nodes.network.resolve_partition()
    await settled(nodes, bank)
    outcome = await bank.resolve(doubtful.key)
    assert outcome in ("done", "void")
    assert (doubtful.key in await audit(nodes)) == (outcome == "done")


async def test_a_void_key_stays_void(bank: QuorumBank) -> None:
    """What was resolved as not having happened cannot happen any more."""
    late = order("a", "b", 1)
    assert await bank.resolve(late.key) == "void"
    with pytest.raises(TransferVoidError):
        await bank.transfer(late)


async def test_a_wait_that_is_cancelled_over_there_is_doubt(
    bank: QuorumBank, nodes: Cluster
) -> None:
    """PostgreSQL answers success with a warning when the wait for standbys is cancelled."""
    async with paused(nodes.nodes["n2"].server), paused(nodes.nodes["n3"].server):
        waiting = asyncio.create_task(bank.transfer(order("a", "b", 1)))
        connection = await asyncpg.connect(nodes.dsn("n1", "n1"))
        async with asyncio.timeout(5):
            while not await connection.fetchval(  # noqa: ASYNC110 - on a server
                "SELECT bool_or(pg_cancel_backend(pid)) FROM pg_stat_activity "
                "WHERE wait_event = 'SyncRep'"
            ):
                await asyncio.sleep(0.01)
        await connection.close()
        with pytest.raises(TransferInDoubtError):
            await waiting


@pytest.mark.parametrize("seed", [7])
async def test_nothing_acknowledged_is_lost_under_faults(
    bank: QuorumBank, banks: dict[str, QuorumBank], nodes: Cluster, seed: int
) -> None:
    """Cuts, pauses and kills during transfers: sums hold, acknowledged stays, doubt is settled."""
    acknowledged: set[str] = set()
    doubtful: set[str] = set()
    refused: set[str] = set()

    async def work(each: QuorumBank, random: Random) -> None:
        while True:
            wanted = order(*random.sample(ACCOUNTS, 2), random.randint(1, 50))
            try:
                await each.transfer(wanted)
                acknowledged.add(wanted.key)
            except TransferInDoubtError:
                doubtful.add(wanted.key)
            except (BankUnavailableError, InsufficientFundsError):
                refused.add(wanted.key)
                await asyncio.sleep(0.01)

    async def harm(random: Random) -> None:
        for _ in range(2):
            nodes.network.simulate_random_partition()
            await asyncio.sleep(0.7)
            nodes.network.resolve_partition()
            async with paused(nodes.nodes[random.choice(nodes.names)].server):
                await asyncio.sleep(0.5)
            victim = nodes.nodes[random.choice(nodes.names)].server
            await victim.kill()
            await asyncio.sleep(0.2)
            await victim.start()

    random = Random(seed)
    workers = [
        asyncio.create_task(work(each, Random(seed + number)))
        for number, each in enumerate(banks.values())
    ]
    await harm(random)
    for worker in workers:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    nodes.network.resolve_partition()
    await settled(nodes, bank)
    settlements = {key: await bank.resolve(key) for key in doubtful}
    done = await audit(nodes)
    assert acknowledged <= done
    assert not refused & done
    assert {key for key, outcome in settlements.items() if outcome == "done"} == doubtful & done
    assert all(held >= 0 for name, held in (await bank.balances()).items() if name != ISSUER)
