"""What every response offers whose body comes piece by piece."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self


class Pieces:
    """Be iterated piece by piece, and closed at the end of an `async with`."""

    __slots__ = ()

    @abstractmethod
    async def read_some(self) -> bytes:
        """Return the next piece of the body, empty at its end."""

    @abstractmethod
    def close(self) -> None:
        """Give up what has not come yet."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.read_some()
        if not piece:
            raise StopAsyncIteration
        return piece
