"""Distributed locks: leases with fencing tokens, sections bound to them, fair queues.

Guide: chapter 4 "분산 락 구현" (the distributed lock).
"""

from loadpath.lock.errors import (
    LeaseLost,
    LockTimeout,
    LockUnavailableError,
    ReleaseInDoubtError,
    StaleTokenError,
    StoreInDoubtError,
)
from loadpath.lock.held import HeldLock
from loadpath.lock.lease import Lease
from loadpath.lock.ledger import Ask, Busy, Grant, Holding, Ledger
from loadpath.lock.lock import DistributedLock, LockStats
from loadpath.lock.memory import MemoryLockStore
from loadpath.lock.options import LockOptions
from loadpath.lock.share import ALONE, Share
from loadpath.lock.store import Held, LockStore

__all__ = [
    "ALONE",
    "Ask",
    "Busy",
    "DistributedLock",
    "Grant",
    "Held",
    "HeldLock",
    "Holding",
    "Lease",
    "LeaseLost",
    "Ledger",
    "LockOptions",
    "LockStats",
    "LockStore",
    "LockTimeout",
    "LockUnavailableError",
    "MemoryLockStore",
    "ReleaseInDoubtError",
    "Share",
    "StaleTokenError",
    "StoreInDoubtError",
]
