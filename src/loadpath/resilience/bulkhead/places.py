"""Who may work and who waits: a bounded number of places, a bounded queue, first come first served.

Pure: whoever waits is any object, and the shell tells it when its place is ready. A place that
becomes free goes to the longest waiting one; nobody overtakes.

Source: M. Nygard, "Release It!" (2007), bulkheads.
"""

from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Places(Generic[Waiter]):
    """Give out places.

    Args:
        places: How many may work at once.
        queue: How many may wait.

    Attributes:
        taken: Places given out.
    """

    __slots__ = ("_places", "_queue", "_waiting", "taken")

    def __init__(self, places: int, queue: int) -> None:
        if places < 1:
            raise ValueError(f"places must be at least 1, not {places}")
        if queue < 0:
            raise ValueError(f"queue must be at least 0, not {queue}")
        self._places = places
        self._queue = queue
        self._waiting: dict[Waiter, None] = {}
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a place that nobody waits for; return whether there was one."""
        if self.taken >= self._places or self._waiting:
            return False
        self.taken += 1
        return True

    def wait(self, waiter: Waiter) -> bool:
        """Queue up for a place; return False when the queue is full."""
        if len(self._waiting) >= self._queue:
            return False
        self._waiting[waiter] = None
        return True

    def leave(self) -> Waiter | None:
        """Give a place back; return who has it now, None when nobody waited."""
        if not self._waiting:
            self.taken -= 1
            return None
        waiter = next(iter(self._waiting))
        del self._waiting[waiter]
        return waiter

    def give_up(self, waiter: Waiter) -> bool:
        """Stop waiting; return False when the place was already given."""
        if waiter not in self._waiting:
            return False
        del self._waiting[waiter]
        return True
