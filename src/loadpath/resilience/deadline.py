"""Until when an answer is wanted, known to everything that a request calls.

A deadline is a moment on this machine's monotonic clock. It travels through tasks by a context
variable and to other machines as the seconds that are left, because their clocks differ. A nested
one never reaches further than the one around it.

Source: gRPC's deadline propagation (`grpc-timeout`), which is relative for the same reason.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from math import floor, inf, isnan
from typing import Self

from loadpath.core.errors import RejectedError

HEADER = "Request-Timeout"
"""Name of the header field that carries a deadline: decimal seconds that are left, as `1.250`."""

_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_MILLI = 1000


class DeadlinePassed(RejectedError, TimeoutError):
    """Refuse to begin a call for which no time is left."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the call began: allow the whole request more")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Name the moment until which an answer is wanted.

    Attributes:
        at: That moment (monotonic s); infinite when there is none.
    """

    at: float = inf

    def __post_init__(self) -> None:
        if isnan(self.at) or self.at == -inf:
            raise ValueError(f"at must be a monotonic time or infinite, not {self.at}")

    @classmethod
    def after(cls, seconds: float, now: float) -> Self:
        """Return the deadline `seconds` from `now`.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, not {seconds}")
        return cls(now + seconds)

    @classmethod
    def current(cls) -> Self:
        """Return the deadline of whatever runs now; `at` is infinite when it has none."""
        return cls(_current.get())

    @classmethod
    def from_header(cls, value: str, now: float) -> Self:
        """Return the deadline that a header field carried to us.

        Raises:
            ValueError: `value` is not decimal seconds.
        """
        if not _SECONDS.fullmatch(value):
            raise ValueError(f"{HEADER} must be decimal seconds such as 1.250, not {value[:40]!r}")
        return cls.after(float(value), now)

    def to_header(self, now: float) -> str | None:
        """Return what the header field says, rounded down to ms; None without a deadline."""
        if self.at == inf:
            return None
        return f"{floor(self.remaining(now) * _MILLI) / _MILLI:.3f}"

    def remaining(self, now: float) -> float:
        """Return the seconds that are left, 0 when it has passed."""
        return max(0.0, self.at - now)

    @contextmanager
    def applied(self) -> Iterator[Self]:
        """Make it the deadline of what runs inside the block, unless that has an earlier one.

        Nothing is interrupted: `Timeout` does that.
        """
        token = apply(self.at)
        try:
            yield type(self)(_current.get())
        finally:
            withdraw(token)


_current: ContextVar[float] = ContextVar("loadpath_deadline", default=inf)


def current_at() -> float:
    """Return the moment of the current deadline (monotonic s), infinite when there is none."""
    return _current.get()


def apply(at: float) -> Token[float]:
    """Make `at` the current deadline unless there is an earlier one; `withdraw` undoes it."""
    return _current.set(min(at, _current.get()))


def withdraw(token: Token[float]) -> None:
    """Bring back the deadline that was current before `apply`."""
    _current.reset(token)
