"""Distributed locks: leases with fencing tokens, sections bound to them, fair queues.

Guide: chapter 4 "분산 락 구현" (the distributed lock).
"""

from loadpath.lock.election import Leader, LeaderElection
from loadpath.lock.errors import (
    ExtraMissingError,
    LeaseLost,
    LockTimeout,
    LockUnavailableError,
    ReleaseInDoubtError,
    StaleTokenError,
    StoreInDoubtError,
    TooFewReplicasError,
)
from loadpath.lock.held import HeldLock
from loadpath.lock.lease import Lease
from loadpath.lock.ledger import Ask, Busy, Grant, Holding, Ledger
from loadpath.lock.lock import DistributedLock, LockStats
from loadpath.lock.manager import DistributedLockManager, LockStatus
from loadpath.lock.many import hold_all
from loadpath.lock.memory import MemoryLockStore
from loadpath.lock.options import LockOptions
from loadpath.lock.share import ALONE, READ, WRITE, Share
from loadpath.lock.shared import ReadWriteLock, Semaphore
from loadpath.lock.store import Held, LockStore

__all__ = [
    "ALONE",
    "READ",
    "WRITE",
    "Ask",
    "Busy",
    "DistributedLock",
    "DistributedLockManager",
    "ExtraMissingError",
    "Grant",
    "Held",
    "HeldLock",
    "Holding",
    "Leader",
    "LeaderElection",
    "Lease",
    "LeaseLost",
    "Ledger",
    "LockOptions",
    "LockStats",
    "LockStatus",
    "LockStore",
    "LockTimeout",
    "LockUnavailableError",
    "MemoryLockStore",
    "ReadWriteLock",
    "ReleaseInDoubtError",
    "Semaphore",
    "Share",
    "StaleTokenError",
    "StoreInDoubtError",
    "TooFewReplicasError",
    "hold_all",
]
