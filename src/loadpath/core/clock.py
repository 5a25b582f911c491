"""Time, told and never waited for.

Decisions take the time as an argument; shells ask a `Clock`. Nothing here sleeps: waiting is the
event loop's business, so a machine under `testing.FakeClock` runs hours in a microsecond.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Tell the time in float seconds."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never runs backwards."""
        ...

    def time(self) -> float:
        """Return seconds since 1970-01-01 UTC; may step either way when the host corrects it."""
        ...


class SystemClock:
    """Tell this machine's time.

    Attributes:
        monotonic: Seconds since an arbitrary moment; never runs backwards.
        time: Seconds since 1970-01-01 UTC; may step either way.
    """

    # The C functions themselves: a Python frame around them would double the cost of a reading.
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
