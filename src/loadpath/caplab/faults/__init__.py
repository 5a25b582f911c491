"""Break a cluster on purpose: cut it, stop and kill its processes, let its clocks lie.

Guide: "CAP 정리 실증 프로젝트" (the CAP theorem, shown), PartitionSimulator.
"""

from loadpath.caplab.faults.clock import SkewedClock
from loadpath.caplab.faults.groups import NodeGroups, Status
from loadpath.caplab.faults.grudge import TARGETS, Grudge, Target, grudge_for
from loadpath.caplab.faults.mesh import Mesh
from loadpath.caplab.faults.network import CutEvent, FaultyNetwork
from loadpath.caplab.faults.processes import paused

__all__ = [
    "TARGETS",
    "CutEvent",
    "FaultyNetwork",
    "Grudge",
    "Mesh",
    "NodeGroups",
    "SkewedClock",
    "Status",
    "Target",
    "grudge_for",
    "paused",
]
