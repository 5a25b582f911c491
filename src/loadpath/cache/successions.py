"""What comes next: which key users asked for after which, and so what a user will ask for.

Every request is an observation: this user's key after that one. A prediction is what followed the
user's latest key most often, for everybody. Memory is bounded; the least recently seen goes first.
"""

from collections import Counter, OrderedDict
from itertools import islice


class Successions:
    """Observe successions of keys.

    Args:
        max_users: Most users whose latest key is remembered.
        max_keys: Most keys whose followers are remembered.
        followers: Most followers of a key.
    """

    __slots__ = ("_followers", "_latest", "_max_followers", "_max_keys", "_max_users")

    def __init__(
        self, *, max_users: int = 10_000, max_keys: int = 10_000, followers: int = 20
    ) -> None:
        if min(max_users, max_keys, followers) < 1:
            raise ValueError(
                "max_users, max_keys and followers must be at least 1, not "
                f"{max_users}, {max_keys}, {followers}"
            )
        self._max_users = max_users
        self._max_keys = max_keys
        self._max_followers = followers
        self._latest: OrderedDict[str, str] = OrderedDict()
        self._followers: OrderedDict[str, Counter[str]] = OrderedDict()

    def record(self, user: str, key: str) -> None:
        """Observe that a user asked for a key."""
        before = self._latest.pop(user, None)
        self._latest[user] = key
        if len(self._latest) > self._max_users:
            self._latest.popitem(last=False)
        if before is not None and before != key:
            self._follow(before, key)

    def active(self, count: int) -> list[str]:
        """Return the users who asked last, the latest first."""
        return list(islice(reversed(self._latest), count))

    def predict(self, user: str, count: int = 5) -> list[str]:
        """Return the keys that a user will most likely ask for next, the likeliest first."""
        latest = self._latest.get(user)
        followers = None if latest is None else self._followers.get(latest)
        return [] if followers is None else [key for key, _ in followers.most_common(count)]

    def _follow(self, before: str, key: str) -> None:
        followers = self._followers.pop(before, None) or Counter()
        self._followers[before] = followers
        if len(self._followers) > self._max_keys:
            self._followers.popitem(last=False)
        if key not in followers and len(followers) >= self._max_followers:
            del followers[min(followers, key=followers.__getitem__)]
        followers[key] += 1
