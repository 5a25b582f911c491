"""The guide's PartitionSimulator and the part of BankingService that knows of cuts, as written."""


class PartitionSimulator:
    """Hold which nodes are partitioned."""

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        self.partitions = dict.fromkeys(nodes, False)

    def create_partition(self, partitioned_nodes: list[str]) -> None:
        """Set nodes partitioned."""
        for node in partitioned_nodes:
            if node in self.nodes:
                self.partitions[node] = True

    def is_node_partitioned(self, node: str) -> bool:
        """Return whether a node is."""
        return self.partitions.get(node) or False

    def can_communicate(self, node1: str, node2: str) -> bool:
        """Return whether neither is partitioned."""
        node1_partitioned = self.is_node_partitioned(node1)
        node2_partitioned = self.is_node_partitioned(node2)
        return not node1_partitioned and not node2_partitioned


class PartitionFlag:
    """Keep the partition as BankingService does: a boolean in one process."""

    def __init__(self) -> None:
        self.is_partitioned = False

    def simulate_partition(self) -> None:
        """Set it."""
        self.is_partitioned = True

    def resolve_partition(self) -> None:
        """Clear it."""
        self.is_partitioned = False

    async def check_availability(self) -> bool:
        """Return the flag, turned round."""
        return not self.is_partitioned
