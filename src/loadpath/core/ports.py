"""What siblings meet through: a room asks for one of these and never imports another room.

Whoever builds the parts joins them, for example `MultiLayerCache(guard=CircuitBreaker(…))`.
"""

from typing import Protocol

import msgspec


class Permit(Protocol):
    """Hear how one call went; exactly one of its methods is called, once."""

    def succeed(self) -> None:
        """Learn that the call succeeded."""
        ...

    def fail(self, error: BaseException) -> None:
        """Learn that the call failed with `error`."""
        ...

    def release(self) -> None:
        """Learn that the call was given up: neither a success nor a failure, its place is free."""
        ...


class Guard(Protocol):
    """Decide whether a call may be tried, and learn how it went.

    Calls overlap, so each has a permit of its own: only that tells how long the call took, and
    whether it began before or after the guard changed its mind.
    """

    def acquire(self) -> Permit:
        """Let one call through.

        Raises:
            RejectedError: The call must not be tried now.
        """
        ...


class Observable(Protocol):
    """Offer plain numbers for whoever watches; asking costs the hot path nothing."""

    def snapshot(self) -> msgspec.Struct:
        """Return the figures of this moment as a frozen Struct, which is JSON by `msgspec`."""
        ...


class Events(Protocol):
    """Hear what happened: a breaker opened, a lease was lost."""

    def emit(self, event: msgspec.Struct) -> None:
        """Hear one event; returns at once and raises nothing."""
        ...
