"""Where the schedules of a rate limit are kept: in this process, or where many share them."""

from typing import Protocol

from loadpath.resilience.ratelimit.gcra import Rate


class RateStore(Protocol):
    """Keep one schedule per key; two requests at the same moment never see the same one."""

    async def admit(self, key: str, rate: Rate) -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early; nothing changed.
            RejectedError: The store cannot tell and refuses.
        """
        ...
