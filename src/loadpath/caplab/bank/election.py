"""Decide who may lead, from what each node promised; pure.

A node that grants an epoch is fenced: it follows nobody, and acknowledges nothing, until that
epoch or a later one has a leader. A leader needs grants of a majority, and is the granted node that
knows most: whatever a majority acknowledged before, one of the granted has, and so does the leader.

Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (Raft).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from loadpath.caplab.faults.grudge import majority

PATIENCE: Final = (1.0, 2.0)
"""Seconds without a leader after which a node stands for election, drawn anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """Say how much a fenced node knows; the larger one knows all that the smaller one does.

    Attributes:
        epoch: Of the last leader whose first record it has.
        lsn: How far its log goes.
    """

    epoch: int
    lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Keep what a node may not forget, written down before it acts on it.

    Attributes:
        epoch: The latest it granted or follows; it takes part in none before.
        leader: Who leads that epoch, None while it does not know.
        whole: Whether its data are all there; without them it grants nothing.
    """

    epoch: int
    leader: str | None = None
    whole: bool = True

    def grants(self, epoch: int, *, quiet: bool) -> bool:
        """Return whether the node may grant an epoch.

        Args:
            epoch: The epoch asked for.
            quiet: Whether it has not heard of a leader for a while; one that has keeps it.
        """
        return self.whole and quiet and epoch > self.epoch

    def follows(self, epoch: int, leader: str) -> bool:
        """Return whether the node may follow a leader of an epoch."""
        return epoch > self.epoch or (epoch == self.epoch and self.leader in (None, leader))


def elected(granted: Mapping[str, Position], nodes: int) -> str | None:
    """Return who leads, given every grant of one epoch; None without a majority of `nodes`."""
    if len(granted) < majority(nodes):
        return None
    return max(granted, key=lambda name: (granted[name], name))
