"""Locks that several hold at once: readers and a writer, and permits that are counted.

All of them are shares of one lock, queued first come, first served: a writer waits for the readers
before it, the readers after it wait for the writer, and nobody starves.
"""

from loadpath.lock.hold import Hold
from loadpath.lock.lock import DistributedLock
from loadpath.lock.options import LockOptions
from loadpath.lock.share import READ, WRITE, Share


class ReadWriteLock:
    """Let many read, or one write.

    Args:
        lock: Where it is kept.
        key: Its name; not that of another kind of lock.
        options: How it is kept and waited for.
    """

    def __init__(
        self, lock: DistributedLock, key: str, *, options: LockOptions | None = None
    ) -> None:
        self._lock = lock
        self._key = key
        self._options = options

    def read(self) -> Hold:
        """Hold it together with other readers, for the length of an `async with` block."""
        return self._lock.hold(self._key, options=self._options, share=READ)

    def write(self) -> Hold:
        """Hold it alone, for the length of an `async with` block."""
        return self._lock.hold(self._key, options=self._options, share=WRITE)


class Semaphore:
    """Let at most so many hold at once; the permit of a holder that died expires with its ttl.

    Args:
        lock: Where it is kept.
        key: Its name; not that of another kind of lock.
        permits: How many there are, the same for everybody who uses the key.
        options: How it is kept and waited for.
    """

    def __init__(
        self,
        lock: DistributedLock,
        key: str,
        *,
        permits: int,
        options: LockOptions | None = None,
    ) -> None:
        if permits < 2:  # noqa: PLR2004 - named in the message
            raise ValueError(f"permits must be at least 2, not {permits}: one is a plain lock")
        self._lock = lock
        self._key = key
        self._permits = permits
        self._options = options

    def hold(self, permits: int = 1) -> Hold:
        """Hold some permits for the length of an `async with` block.

        Raises:
            ValueError: There are not so many (on entering).
        """
        share = Share(permits, self._permits)
        return self._lock.hold(self._key, options=self._options, share=share)
