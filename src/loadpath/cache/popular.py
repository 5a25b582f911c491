"""Which keys are asked for most, counted in bounded memory as they are asked for.

A new key takes the place of the least counted one and inherits its count, so a key that is really
frequent is never missed. Counts are halved now and then: what was popular last week fades.

Source: A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k elements
in data streams", ICDT 2005 (Space-Saving).
"""

from heapq import heapify, heappush, heapreplace, nlargest


class PopularKeys:
    """Count keys.

    Args:
        capacity: Keys that are counted at the same time; the top tenth of them is reliable.
        half_life: Records after which counts are halved.
    """

    __slots__ = ("_capacity", "_counts", "_half_life", "_heap", "_records")

    def __init__(self, *, capacity: int = 10_000, half_life: int = 1_000_000) -> None:
        if capacity < 1 or half_life < 1:
            raise ValueError(
                f"capacity and half_life must be at least 1, not {capacity}, {half_life}"
            )
        self._capacity = capacity
        self._half_life = half_life
        self._counts: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._records = 0

    def __len__(self) -> int:
        return len(self._counts)

    def record(self, key: str) -> None:
        """Count a key that was asked for."""
        counts = self._counts
        if key in counts:
            counts[key] += 1
        elif len(counts) < self._capacity:
            counts[key] = 1
            heappush(self._heap, (1, key))
        else:
            self._replace_least(key)
        self._records += 1
        if self._records >= self._half_life:
            self._halve()

    def top(self, count: int | None = None, *, prefix: str = "") -> list[str]:
        """Return the keys asked for most, the most popular first.

        Args:
            count: Most keys; None for all that are counted.
            prefix: Beginning of the keys that count.
        """
        keys = [key for key in self._counts if key.startswith(prefix)] if prefix else self._counts
        most = len(keys) if count is None else count
        return nlargest(most, keys, key=lambda key: (self._counts[key], key))

    def _replace_least(self, key: str) -> None:
        """Let a key take the place of the least counted; the heap may be behind the counts."""
        counts, heap = self._counts, self._heap
        while True:
            seen, least = heap[0]
            now = counts[least]
            if now == seen:
                break
            heapreplace(heap, (now, least))
        del counts[least]
        counts[key] = seen + 1
        heapreplace(heap, (seen + 1, key))

    def _halve(self) -> None:
        self._records = 0
        self._counts = {key: count // 2 for key, count in self._counts.items() if count > 1}
        self._heap = [(count, key) for key, count in self._counts.items()]
        heapify(self._heap)
