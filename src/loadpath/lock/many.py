"""Several locks at once, taken in one order by everybody, so that no two wait for each other.

Source: E. G. Coffman et al., "System Deadlocks", ACM Computing Surveys 1971 (ordered resources).
"""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

from loadpath.lock.held import HeldLock
from loadpath.lock.lock import DistributedLock
from loadpath.lock.options import LockOptions


@asynccontextmanager
async def hold_all(
    lock: DistributedLock, keys: Collection[str], *, options: LockOptions | None = None
) -> AsyncIterator[dict[str, HeldLock]]:
    """Hold several locks for the length of a block; it ends when one of them is lost.

    Args:
        lock: Where they are kept.
        keys: Their names, in any order; one that is named twice is taken once.
        options: How each is kept and waited for.

    Raises:
        LockTimeout: Somebody else kept one of them; none is held.
        LockUnavailableError: The store could not be asked; none is held.
        LeaseLost: One was lost before the block ended.
        ValueError: `keys` is one str.
    """
    if isinstance(keys, str):
        raise ValueError(f"keys must be several names, not one str: [{keys!r}]")  # noqa: TRY004
    async with AsyncExitStack() as stack:
        yield {
            key: await stack.enter_async_context(lock.hold(key, options=options))
            for key in sorted(set(keys))
        }
