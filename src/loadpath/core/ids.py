"""Snowflake ids: 41 bits of milliseconds, 10 bits of node, 12 bits of sequence.

Ids of one node only grow, whatever the clock does. When the clock stands still or steps back, or
a millisecond's 4,096 ids are used up, the generator borrows milliseconds from the future and says
so only when it owes more than it may (`ClockWentBack`). It never sleeps: whoever calls decides
whether to wait. Two nodes never collide, because the node is part of the id.

Source: Twitter's Snowflake (2010), https://github.com/twitter-archive/snowflake
"""

from typing import NamedTuple

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import RejectedError

EPOCH = 1_704_067_200.0
"""Default first moment of the 41 bits: 2024-01-01 UTC (s); they last until 2093."""

NODES = 1024
_SEQUENCES = 4096
_LAST_SEQUENCE = _SEQUENCES - 1
_MILLISECONDS = 1 << 41
_LARGEST = (1 << 63) - 1


class ClockWentBack(RejectedError, RuntimeError):
    """Refuse an id: the clock is further behind the newest id than ids may run ahead.

    Attributes:
        behind: Seconds from the clock to the newest id that was asked for.
        retry_after: Seconds until the clock, running normally, has caught up enough.
    """

    def __init__(self, behind: float, max_ahead: float) -> None:
        wait = behind - max_ahead
        super().__init__(
            f"the clock is {behind:.3f} s behind the next id (at most {max_ahead:.3f} s allowed): "
            f"it stepped back, or ids were drawn faster than {_SEQUENCES} per millisecond; "
            f"retry in {wait:.3f} s",
            retry_after=wait,
        )
        self.behind = behind


class SnowflakeParts(NamedTuple):
    """Hold what an id is made of.

    Attributes:
        timestamp: When it was drawn, in whole milliseconds (Unix s).
        node: Who drew it, 0-1023.
        sequence: Its number within the millisecond, 0-4095.
    """

    timestamp: float
    node: int
    sequence: int


class SnowflakeIds:
    """Draw ids that only grow.

    One generator belongs to one thread, such as an event loop's, and to one process: it takes no
    lock. Threads and processes that draw at the same time need a node each.

    Args:
        node: This generator's number among all that draw at the same time, 0-1023.
        clock: Where the wall-clock time comes from.
        epoch: First moment of the 41 bits (Unix s).
        after: The newest id that this node may have drawn before, such as the largest in the
            record: a restart then repeats none, even when the clock stepped back meanwhile.
        max_ahead: Seconds that ids may run ahead of the clock.
    """

    __slots__ = ("_epoch", "_floor", "_last", "_max_ahead", "_node", "_now", "_turn")

    def __init__(
        self,
        node: int,
        *,
        clock: Clock | None = None,
        epoch: float = EPOCH,
        after: int = 0,
        max_ahead: float = 1.0,
    ) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"node must be 0-{NODES - 1}, not {node}: give each generator its own")
        if not 0 <= after <= _LARGEST:
            raise ValueError(f"after must be an id (0 to 2**63 - 1), not {after}")
        if not 0.0 <= max_ahead <= 86_400.0:  # noqa: PLR2004 - a day, named in the message
            raise ValueError(f"max_ahead must be 0-86400 s, not {max_ahead}")
        self._now = (clock or SystemClock()).time
        if self._now() < epoch:
            raise ValueError(
                f"epoch {epoch} is later than the clock ({self._now()}): set the clock"
            )
        self._node = node << 12
        self._epoch = int(epoch * 1000)
        self._max_ahead = int(max_ahead * 1000)
        # Another node may have drawn `after`, so its whole millisecond counts as used up.
        self._last = after >> 22 << 22 | self._node | _LAST_SEQUENCE if after else -1
        self._turn = self._floor = float("inf")

    def next(self) -> int:
        """Return an id larger than every earlier one.

        Raises:
            ClockWentBack: Ids would run more than `max_ahead` s ahead of the clock.
            OverflowError: The 41 bits of milliseconds are used up.
        """
        now = self._now()
        last = self._last
        if self._floor <= now < self._turn and last & _LAST_SEQUENCE != _LAST_SEQUENCE:
            self._last = last = last + 1
            return last
        self._take(now, 1)
        return self._last

    def many(self, n: int) -> list[int]:
        """Return `n` growing ids, all of them or none.

        Raises:
            ValueError: `n` is negative, or more than `max_ahead` ever allows at once.
            ClockWentBack: Ids would run more than `max_ahead` s ahead of the clock.
            OverflowError: The 41 bits of milliseconds are used up.
        """
        most = (self._max_ahead + 1) * _SEQUENCES
        if not 0 <= n <= most:
            raise ValueError(f"n must be 0-{most}, not {n}: ids may run ahead no further")
        if n == 0:
            return []
        first = self._take(self._now(), n)
        node = self._node
        return [slot >> 12 << 22 | node | slot & _LAST_SEQUENCE for slot in range(first, first + n)]

    def _take(self, now: float, n: int) -> int:
        """Reserve `n` slots (millisecond << 12 | sequence) and return the first."""
        current = int(now * 1000) - self._epoch
        last = self._last
        used = last >> 22 << 12 | last & _LAST_SEQUENCE
        first = max(used + 1, current << 12)
        final = first + n - 1
        newest = final >> 12
        if newest - current > self._max_ahead:
            raise ClockWentBack((newest - current) / 1000, self._max_ahead / 1000)
        if newest >= _MILLISECONDS:
            raise OverflowError("41 bits of milliseconds are used up: choose a later epoch")
        self._last = newest << 22 | self._node | final & _LAST_SEQUENCE
        self._turn = (newest + 1 + self._epoch) / 1000
        self._floor = (newest - self._max_ahead + self._epoch) / 1000
        return first


def decode(snowflake: int, *, epoch: float = EPOCH) -> SnowflakeParts:
    """Return the parts of an id that was drawn with the same `epoch`.

    Raises:
        ValueError: It is not an id (0 to 2**63 - 1).
    """
    if not 0 <= snowflake <= _LARGEST:
        raise ValueError(f"an id is 0 to 2**63 - 1, not {snowflake}")
    timestamp = (int(epoch * 1000) + (snowflake >> 22)) / 1000
    return SnowflakeParts(timestamp, snowflake >> 12 & (NODES - 1), snowflake & _LAST_SEQUENCE)


def timestamp_of(snowflake: int, *, epoch: float = EPOCH) -> float:
    """Return when an id was drawn (Unix s, whole milliseconds).

    Raises:
        ValueError: It is not an id (0 to 2**63 - 1).
    """
    return decode(snowflake, epoch=epoch).timestamp
