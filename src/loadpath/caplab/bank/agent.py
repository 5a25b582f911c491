"""Stand beside one node's PostgreSQL and decide with the other agents who is primary.

An agent knows what a node could know: its own server, and what others tell it over the links. A
server never becomes primary by itself: it starts as a standby, and an agent promotes it once a
majority is fenced, follows it, and the one promoted knows most.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from loadpath.caplab.bank.database import Database
from loadpath.caplab.bank.election import PATIENCE, Position, Promise, elected
from loadpath.caplab.bank.messages import (
    ASK_PATIENCE,
    LONGEST,
    Answer,
    Canvass,
    Fence,
    Follow,
    Lead,
    Message,
    ask,
)
from loadpath.caplab.bank.quorum import Leader
from loadpath.caplab.bank.rules import acknowledgements
from loadpath.caplab.cluster import Cluster
from loadpath.caplab.extras import asyncpg
from loadpath.caplab.faults.grudge import majority
from loadpath.local.cancellation import in_thread
from loadpath.local.errors import ServerError
from loadpath.local.ports import LOOPBACK
from loadpath.local.synced import write_synced

AGENT: Final = "agent"
HEARTBEAT: Final = 0.2
FENCE_PATIENCE: Final = 6.0
LOOK_EVERY: Final = 1.0
REBUILD_AFTER: Final = 4.0
TROUBLE: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ServerError,
)
_log = logging.getLogger(__name__)


class Agent:
    """Take part in elections for one node.

    Args:
        cluster: The nodes and their links.
        node: Which one this stands beside.
        promise: What it promised before.
        state: File that its promises are written to.
        seed: Decides its patience.
    """

    def __init__(
        self, cluster: Cluster, node: str, promise: Promise, *, state: Path, seed: int = 0
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._promise = promise
        self._state = state
        self._random = Random(f"{seed} {node}")  # noqa: S311 - a seed repeats a run
        self._database = Database(cluster, node)
        self._changing = asyncio.Lock()
        self._time = asyncio.get_running_loop().time
        self._heard = self._time()
        self._patience = self._drawn()
        self._ready = False
        self._followed = False
        self._pointed: tuple[int, str] | None = None
        self._pointed_at = self._looked_at = 0.0

    def leader(self) -> Leader | None:
        """Return whom this node takes for the primary, None for nobody."""
        name = self._promise.leader
        if name is None or not self._ready:
            return None
        return Leader(name=name, epoch=self._promise.epoch)

    async def run(self) -> None:
        """Take part until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again(self._speak))
            group.create_task(_again(self._act))

    async def answer(self, message: Message) -> Answer:
        """Answer another agent."""
        if isinstance(message, Follow):
            return await self._hear(message)
        if isinstance(message, Canvass):
            yes = self._promise.grants(message.epoch, quiet=self._quiet)
            return Answer(yes, self._promise.epoch)
        if isinstance(message, Lead):
            yes = self._promise.epoch == message.epoch and self._promise.leader is None
            if yes:
                await self._keep(Promise(epoch=message.epoch, leader=self._node))
            return Answer(yes, self._promise.epoch)
        return await self._grant(message.epoch)

    @property
    def _leads(self) -> bool:
        return self._promise.leader == self._node

    @property
    def _quiet(self) -> bool:
        return not self._leads and self._time() - self._heard > PATIENCE[0]

    @property
    def _peers(self) -> list[str]:
        return [name for name in self._cluster.names if name != self._node]

    def _drawn(self) -> float:
        return self._random.uniform(*PATIENCE)

    async def _speak(self) -> None:
        """Lead, or stand for election when nobody does; never waits for the own server."""
        if self._leads:
            await self._tell_all()
        elif self._time() - self._heard > self._patience:
            self._patience = self._drawn()
            self._ready = False
            await self._campaign()

    async def _act(self) -> None:
        """Make the own server what the promise says."""
        async with self._changing:
            promise = self._promise
            if promise.leader == self._node and self._ready:
                await self._check_own(promise.epoch)
            elif promise.leader == self._node:
                await self._take_over(promise.epoch)
            elif promise.leader is not None:
                await self._follow(promise.epoch, promise.leader)

    async def _check_own(self, epoch: int) -> None:
        """Give the lead up when the own server no longer is a primary that answers."""
        try:
            primary = await self._database.is_primary()
        except (*TROUBLE, TimeoutError):
            primary = False
        if not primary and self._promise.epoch == epoch:
            self._heard = self._time()
            self._ready = False
            await self._keep(Promise(epoch=epoch))

    async def _keep(self, promise: Promise) -> None:
        """Write a promise down, then go by it."""
        if promise.epoch != self._promise.epoch:
            self._ready = self._followed = False
        await in_thread(write_synced, self._state, encoded(promise))
        self._promise = promise

    async def _hear(self, message: Follow) -> Answer:
        if not self._promise.follows(message.epoch, message.leader):
            return Answer(False, self._promise.epoch)
        if (message.epoch, message.leader) != (self._promise.epoch, self._promise.leader):
            await self._keep(
                Promise(epoch=message.epoch, leader=message.leader, whole=self._promise.whole)
            )
        self._heard = self._time()
        self._ready = message.ready
        return Answer(True, self._promise.epoch)

    async def _grant(self, epoch: int) -> Answer:
        """Promise an epoch, follow nobody any more, and tell how much this node knows."""
        async with self._changing:
            quiet = self._quiet or self._leads
            if not self._promise.grants(epoch, quiet=quiet):
                return Answer(False, self._promise.epoch)
            await self._keep(Promise(epoch=epoch))
            self._heard = self._time()
            try:
                position = await self._fenced()
            except (*TROUBLE, TimeoutError):
                return Answer(False, epoch)
            return Answer(True, epoch, position.epoch, position.lsn)

    async def _fenced(self) -> Position:
        """Make the server follow nobody, a primary too, and return how much it knows."""
        self._pointed = None
        async with asyncio.timeout(FENCE_PATIENCE):
            await self._database.stand_by("")
            return await self._database.position()

    async def _campaign(self) -> None:
        """Stand for election: nothing changes unless a majority would grant it."""
        epoch = self._promise.epoch + 1
        if not self._promise.grants(epoch, quiet=True):
            return
        willing = [name for name, each in (await self._ask_all(Canvass(epoch))).items() if each.yes]
        if 1 + len(willing) < self._majority:
            return
        own = await self._grant(epoch)
        if not own.yes:
            return
        answers = await self._ask_all(Fence(epoch), of=willing, patience=FENCE_PATIENCE)
        granted = {
            name: Position(epoch=answer.known_epoch, lsn=answer.lsn)
            for name, answer in {self._node: own, **answers}.items()
            if answer.yes
        }
        self._heard = self._time()
        chosen = elected(granted, len(self._cluster.names))
        if chosen == self._node:
            await self.answer(Lead(epoch))
        elif chosen is not None:
            await self._ask_one(chosen, Lead(epoch))

    @property
    def _majority(self) -> int:
        return majority(len(self._cluster.names))

    async def _tell_all(self) -> None:
        """Tell everybody who leads, and learn whether a majority follows."""
        epoch = self._promise.epoch
        answers = await self._ask_all(Follow(epoch, self._node, self._ready))
        latest = max((answer.epoch for answer in answers.values()), default=0)
        if latest > epoch:
            await self._step_down(latest)
        elif self._promise.epoch == epoch:
            followers = sum(answer.yes for answer in answers.values())
            self._followed = 1 + followers >= self._majority
            self._ready = self._ready and self._followed

    async def _take_over(self, epoch: int) -> None:
        """Become able to write once a majority follows."""
        if self._followed and not self._ready:
            ready = await self._database.lead(epoch, acknowledgements(len(self._cluster.names)))
            self._ready = ready and self._promise.epoch == epoch and self._followed

    async def _step_down(self, epoch: int) -> None:
        """Stop leading: a later epoch exists."""
        async with self._changing:
            if epoch > self._promise.epoch:
                await self._keep(Promise(epoch=epoch, whole=self._promise.whole))
                self._heard = self._time()
                await self._fenced()

    async def _follow(self, epoch: int, leader: str) -> None:
        """Let the server follow the leader; one whose data took another way copies them again."""
        if not self._promise.whole:  # a copy was cut short: there may be nothing to start
            await self._rebuild(epoch, leader)
        if (epoch, leader) != self._pointed:
            await self._database.stand_by(self._cluster.conninfo(self._node, leader))
            self._pointed, self._pointed_at = (epoch, leader), self._time()
        if await self._database.revived():
            self._pointed_at = self._time()
        if await self._is_astray():
            await self._rebuild(epoch, leader)

    async def _is_astray(self) -> bool:
        """Return whether a leader that takes writes has not been followed for too long."""
        if not self._ready or self._time() - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = self._time()
        if await self._database.streams():
            self._pointed_at = self._time()
        return self._time() - self._pointed_at > REBUILD_AFTER

    async def _rebuild(self, epoch: int, leader: str) -> None:
        """Copy the leader's data; until they are whole this node grants nothing."""
        _log.info("%s copies the data of %s", self._node, leader)
        await self._keep(Promise(epoch=epoch, leader=leader, whole=False))
        await self._database.copy(leader)
        # Meanwhile it may have heard of a later leader: those data would be of an earlier one.
        if (self._promise.epoch, self._promise.leader) == (epoch, leader):
            await self._keep(Promise(epoch=epoch, leader=leader))
            self._pointed_at = self._time()

    async def _ask_all(
        self, message: Message, *, of: Sequence[str] | None = None, patience: float = ASK_PATIENCE
    ) -> dict[str, Answer]:
        names = self._peers if of is None else of
        asked = (self._ask_one(name, message, patience=patience) for name in names)
        answers = zip(names, await asyncio.gather(*asked), strict=True)
        return {name: answer for name, answer in answers if answer is not None}

    async def _ask_one(
        self, name: str, message: Message, *, patience: float = ASK_PATIENCE
    ) -> Answer | None:
        port = self._cluster.link(self._node, name, AGENT).port
        return await ask(port, message, patience=patience)


async def _again(work: Callable[[], Awaitable[None]]) -> None:
    """Do some work again and again; trouble is a reason to try again, not to end."""
    while True:
        with suppress(*TROUBLE):
            await work()
        await asyncio.sleep(HEARTBEAT)


def encoded(promise: Promise) -> str:
    """Return a promise as it is written down."""
    return msgspec.json.encode(promise).decode()


def _remembered(state: Path) -> Promise | None:
    """Return what an agent promised before it ended, None for a new one."""
    try:
        return msgspec.json.decode(state.read_bytes(), type=Promise)
    except FileNotFoundError:
        return None


@asynccontextmanager
async def agents(cluster: Cluster, *, seed: int = 0) -> AsyncIterator[dict[str, Agent]]:
    """Run an agent beside each node until the end of the block.

    The first node leads epoch 1; an agent that was there before goes by what it promised then.
    """
    first = cluster.names[0]
    # From now on a server that starts again is a standby until its agent says otherwise.
    cluster.nodes[first].server.follow("")
    async with AsyncExitStack() as stack:
        made: dict[str, Agent] = {}
        for name in cluster.names:
            state = cluster.nodes[name].server.folder / "agent.json"
            promise = await in_thread(_remembered, state) or Promise(epoch=1, leader=first)
            made[name] = Agent(cluster, name, promise, state=state, seed=seed)
        for name, agent in made.items():
            port = await stack.enter_async_context(_listening(agent.answer))
            for source in cluster.names:
                await cluster.mesh.join(source, name, AGENT, port)
        for agent in made.values():
            await stack.enter_async_context(_running(agent))
        yield made


@asynccontextmanager
async def _running(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def _listening(answer: Callable[[Message], Awaitable[Answer]]) -> AsyncIterator[int]:
    """Answer messages on a port; yields it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            line = await reader.readline()
            if line:
                message: Message = msgspec.json.decode(line, type=Message)
                writer.write(msgspec.json.encode(await answer(message)) + b"\n")
                await writer.drain()
        except (OSError, ValueError, msgspec.MsgspecError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0, limit=LONGEST)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tuple(tasks))
