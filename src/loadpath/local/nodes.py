"""Write Valkey's `nodes.conf`: a cluster that knows itself before it starts.

Introducing nodes one by one takes seconds of gossip; a file that names every node, its role, its
master and its slots takes none. A later start keeps what the servers wrote there (a failover may
have changed the roles) and only moves the addresses, because the ports are other ones.

Source: Valkey's cluster specification, "cluster nodes" serialization format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadpath.local.ports import LOOPBACK

SLOTS = 16_384
ADDRESS = re.compile(r"^[^:,]*:\d+@\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Describe one node of a new cluster.

    Attributes:
        id: 40 hexadecimal digits.
        shard: The same for a master and its replicas, 40 hexadecimal digits.
        master: Id of its master, None for a master.
        slots: First and last slot of a master; None for a replica.
        port: Port for clients.
        bus_port: Port for the other nodes.
    """

    id: str
    shard: str
    port: int
    bus_port: int
    master: str | None = None
    slots: tuple[int, int] | None = None


def slot_ranges(masters: int) -> list[tuple[int, int]]:
    """Share the slots evenly; returns the first and last slot of each master."""
    edges = [SLOTS * number // masters for number in range(masters + 1)]
    return [(first, after - 1) for first, after in pairwise(edges)]


def write_nodes(nodes: Sequence[Node], myself: str) -> str:
    """Return the `nodes.conf` of the node `myself` of a new cluster."""
    epochs = {node.id: number for number, node in enumerate(nodes, 1) if node.slots is not None}
    lines = [_line(node, myself, epochs) for node in nodes]
    return "\n".join([*lines, f"vars currentEpoch {len(epochs)} lastVoteEpoch 0", ""])


def read_myself(nodes_conf: str) -> str | None:
    """Return the id of the node whose `nodes.conf` this is, None when it is damaged."""
    for line in nodes_conf.splitlines():
        words = line.split()
        if len(words) > 2 and "myself" in words[2].split(","):  # noqa: PLR2004 - the flags' place
            return words[0]
    return None


def move_nodes(nodes_conf: str, ports: Mapping[str, tuple[int, int]]) -> str:
    """Return a `nodes.conf` with other addresses and everything else kept.

    Args:
        nodes_conf: What a server wrote.
        ports: For each node id its port for clients and its port for the other nodes.
    """
    return "".join(f"{_moved(line, ports)}\n" for line in nodes_conf.splitlines())


def _line(node: Node, myself: str, epochs: Mapping[str, int]) -> str:
    role = "master" if node.master is None else "slave"
    flags = f"myself,{role}" if node.id == myself else role
    address = f"{_address(node.port, node.bus_port)},,shard-id={node.shard}"
    epoch = epochs[node.master or node.id]
    slots = [] if node.slots is None else ["-".join(map(str, node.slots))]
    words = [node.id, address, flags, node.master or "-", "0", "0", str(epoch), "connected"]
    return " ".join([*words, *slots])


def _moved(line: str, ports: Mapping[str, tuple[int, int]]) -> str:
    node, _, rest = line.partition(" ")
    if node not in ports:
        return line
    return f"{node} {ADDRESS.sub(_address(*ports[node]), rest)}"


def _address(port: int, bus_port: int) -> str:
    return f"{LOOPBACK}:{port}@{bus_port}"
