"""Who is fetching a key now, so that an invalidation meanwhile reaches what is still on its way."""

from collections.abc import Callable


class Watch:
    """Stand for all who began fetching a key since it was last invalidated.

    Attributes:
        dirty: Whether the key was invalidated since: what was fetched must not be kept.
    """

    __slots__ = ("dirty", "holders")

    def __init__(self) -> None:
        self.dirty = False
        self.holders = 0


class Watches:
    """Remember the keys that are being fetched; as many as there are fetches."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[str, Watch] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def join(self, key: str) -> Watch:
        """Begin fetching a key; `part` must follow."""
        watch = self._keys.get(key)
        if watch is None:
            watch = self._keys[key] = Watch()
        watch.holders += 1
        return watch

    def part(self, key: str, watch: Watch) -> None:
        """End fetching a key."""
        watch.holders -= 1
        if not watch.holders and self._keys.get(key) is watch:
            del self._keys[key]

    def invalidate(self, key: str) -> None:
        """Learn that a key was invalidated."""
        watch = self._keys.pop(key, None)
        if watch is not None:
            watch.dirty = True

    def invalidate_where(self, matches: Callable[[str], bool]) -> None:
        """Learn that every key that matches was invalidated."""
        for key in [key for key in self._keys if matches(key)]:
            self.invalidate(key)
