"""What the tests of every pattern need: someone who listens, and calls that end as told."""

from typing import NoReturn

import msgspec


class Heard:
    """Events kept in a list; every one of them is JSON."""

    def __init__(self) -> None:
        self.events: list[msgspec.Struct] = []

    def emit(self, event: msgspec.Struct) -> None:
        """Keep it."""
        assert msgspec.json.decode(msgspec.json.encode(event))["type"] == type(event).__name__
        self.events.append(event)


async def answer(value: str = "fine") -> str:
    """Succeed."""
    return value


async def fail(error: BaseException) -> NoReturn:
    """Fail."""
    raise error
