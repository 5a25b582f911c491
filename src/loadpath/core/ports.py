"""What siblings meet through: a room asks for one of these and never imports another room.

Whoever builds the parts joins them, for example `MultiLayerCache(guard=CircuitBreaker(…))`.
"""

from typing import Protocol

import msgspec


class Guard(Protocol):
    """Decide whether a call may be tried, and learn how it went.

    Every `allow` that returns is followed by exactly one of the other three.
    """

    def allow(self) -> None:
        """Let one call through.

        Raises:
            RejectedError: The call must not be tried now.
        """
        ...

    def on_success(self) -> None:
        """Learn that the call succeeded."""
        ...

    def on_failure(self, error: BaseException) -> None:
        """Learn that the call failed with `error`."""
        ...

    def on_cancel(self) -> None:
        """Learn that the call was given up: neither a success nor a failure, its place is free."""
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
