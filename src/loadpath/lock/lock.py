"""The lock: sections that run while it is held and end the moment that is no longer certain.

An acquisition that is cancelled, at whatever moment, gives back what it may have got. A question
without an answer is asked again, which is safe because every acquisition has a name of its own.
"""

import asyncio
import os
import secrets
import socket
from contextlib import AsyncExitStack
from itertools import count
from random import Random
from typing import Self
from urllib.parse import quote

import msgspec

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.lock.cleaner import Cleaner
from loadpath.lock.errors import LockTimeout, LockUnavailableError, ReleaseInDoubtError
from loadpath.lock.held import GONE, HeldLock
from loadpath.lock.hold import Hold
from loadpath.lock.lease import Lease
from loadpath.lock.ledger import Ask, Busy, Grant
from loadpath.lock.options import LockOptions
from loadpath.lock.share import ALONE, Share
from loadpath.lock.store import LockStore
from loadpath.lock.waiters import Waiters
from loadpath.lock.watchdog import Watchdog

CLOSE_WITHIN = 5.0
_OVER = Busy(0.0, 0)


class LockStats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what a lock did since it was opened.

    Attributes:
        held: Leases held now.
        waiting: Acquisitions that wait in a queue now.
        cleaning: Leases that are still being given back in the background.
        acquired: Leases granted.
        failed: Acquisitions that ended without a lease.
        lost: Leases lost before they were released.
    """

    held: int
    waiting: int
    cleaning: int
    acquired: int
    failed: int
    lost: int


class DistributedLock:
    """Take locks of one store, as an async context manager.

    Args:
        store: Keeps the leases.
        options: How locks are kept and waited for, unless a call says otherwise.
        label: Who this is, for people who look at the store; host and process by default.
        random: Where jitter comes from.

    Attributes:
        by_task: What a task holds by reentrant blocks.
    """

    def __init__(
        self,
        store: LockStore,
        *,
        options: LockOptions | None = None,
        label: str | None = None,
        random: Random | None = None,
    ) -> None:
        self.store = store
        self.options = options or LockOptions()
        self.label = f"{socket.gethostname()}:{os.getpid()}" if label is None else label
        self.by_task: dict[tuple[asyncio.Task[object], str], HeldLock] = {}
        self._random = random or Random()  # noqa: S311 - spreads tries, guards nothing
        self._held: dict[str, HeldLock] = {}
        self._waiters = Waiters()
        self._acquired = self._failed = self._lost = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._name = f"{quote(self.label, safe=':')}/{secrets.token_hex(8)}-"
        self._numbers = count(1)
        self._cleaner = Cleaner(self.store.release, self._random)
        self._watchdog = Watchdog(self._held, self._renew, self._random)
        async with AsyncExitStack() as stack:
            hearing = self.store.listening(self._waiters.grant, self._waiters.gap, self._wanted)
            await stack.enter_async_context(hearing)
            self._opened = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give back everything that is still held, within five seconds."""
        async with self._opened:
            await self._watchdog.close()
            while self._held:
                held = self._held.pop(next(iter(self._held)))
                self._let_go(held)
                self._abandon(held.key, held.ask, held.ttl)
            await self._cleaner.close(CLOSE_WITHIN)

    def hold(
        self,
        key: str,
        *,
        options: LockOptions | None = None,
        share: Share = ALONE,
        reentrant: bool = False,
    ) -> Hold:
        """Hold a lock for the length of an `async with` block.

        The block is cancelled, and `LeaseLost` raised, the moment the lease can no longer be
        guaranteed; it is renewed meanwhile.

        Args:
            key: The lock.
            options: How it is kept and waited for.
            share: How much of it is taken; all of it by default.
            reentrant: Whether a task that holds the key already, by a reentrant block too, goes on
                under the same lease.

        Raises:
            LockTimeout: Somebody else kept it until the wait was over (on entering).
            LockUnavailableError: The store could not be asked (on entering).
            LeaseLost: The lease was lost before the block ended.
        """
        return Hold(self, key, options, share, reentrant=reentrant)

    async def acquire(
        self, key: str, *, options: LockOptions | None = None, share: Share = ALONE
    ) -> HeldLock:
        """Take a lock and return it; it is renewed until it is released or lost.

        Prefer `hold`: nobody is cancelled here when the lease is lost.

        Args:
            key: The lock.
            options: How it is kept and waited for.
            share: How much of it is taken; all of it by default.

        Raises:
            LockTimeout: Somebody else kept it until the wait was over.
            LockUnavailableError: The store could not be asked.
            ValueError: There is no such key, or no such share.
        """
        weight, capacity = share
        if not key or not 1 <= weight <= capacity:
            raise ValueError(f"a key and 1 to the capacity of it are needed: {key!r}, {share}")
        chosen = options or self.options
        ask = Ask(f"{self._name}{next(self._numbers)}", chosen.ttl, 0.0, weight, capacity)
        lease = Lease(chosen.ttl)
        waits = False
        try:
            # A lock that is free takes one question and no place in the queue.
            answer = await self._ask(key, ask, lease)
            if answer is not None:
                waits = True
                await self._queue(key, ask, chosen, lease, answer)
        except BaseException:
            self._failed += 1
            if lease.state == "acquiring":
                self._abandon(key, ask, chosen.ttl + chosen.patience)
            raise
        held = HeldLock(key, ask, lease, self._loop, waits)
        self._held[ask.owner] = held
        self._acquired += 1
        self._watchdog.watch(held)
        return held

    async def release(self, held: HeldLock) -> bool:
        """Give a lock back and return whether it was held until now.

        A lock that was lost is given back in the background, in case the store still knows it.

        Raises:
            ReleaseInDoubtError: The store did not answer; it is tried on until the ttl has passed.
        """
        if self._held.pop(held.ask.owner, None) is None:
            return False
        if not self._let_go(held):
            self._abandon(held.key, held.ask, held.ttl)
            return False
        try:
            # The token is for a shortcut that fails when somebody waits.
            token = 0 if held.wanted else held.token
            known = await self.store.release(held.key, held.ask, token)
        except (InDoubtError, RejectedError) as error:
            self._abandon(held.key, held.ask, held.ttl)
            free = f"{held.key!r} is free, or will be in {held.ttl:g} s"
            raise ReleaseInDoubtError(f"{free}: {error}") from error
        except BaseException:
            self._abandon(held.key, held.ask, held.ttl)
            raise
        if not known:
            held.found_gone()
        return known

    async def extend(self, held: HeldLock, ttl: float) -> None:
        """Renew a lock at once, for this ttl from now on.

        Raises:
            LeaseLost: The store does not know the lease any more.
            InDoubtError: There was no answer; the shorter of both ttls counts.
            RejectedError: The store could not be asked; the same.
            ValueError: `ttl` is too short.
        """
        LockOptions(ttl=ttl)
        held.check()
        self._watchdog.let_go(held)
        asked = self._loop.time()
        held.change(ttl)
        try:
            known = await self.store.renew(held.key, held.ask, ttl)
        finally:
            self._watchdog.watch(held)
        if known:
            held.renewed(asked)
        else:
            held.lose(GONE)
        held.check()

    def snapshot(self) -> LockStats:
        """Return the counts of this moment."""
        return LockStats(
            held=len(self._held),
            waiting=len(self._waiters),
            cleaning=self._cleaner.left,
            acquired=self._acquired,
            failed=self._failed,
            lost=self._lost,
        )

    @property
    def held(self) -> list[HeldLock]:
        """The locks that were taken and not released, lost ones included."""
        return list(self._held.values())

    async def _queue(
        self,
        key: str,
        ask: Ask,
        options: LockOptions,
        lease: Lease,
        answer: Busy | Exception,
    ) -> None:
        """Wait for a grant; to ask now and then is the safety net."""
        until = self._loop.time() + options.longest_wait
        if options.longest_wait == 0:
            raise _gave_up(key, options, answer)
        queueing = msgspec.structs.replace(ask, patience=options.patience)
        self._waiters.enter(ask.owner)
        try:
            for delay in options.delays(self._random):
                again = await self._ask(key, queueing, lease)
                if again is None:
                    return
                rest = until - self._loop.time()
                if rest <= 0:
                    raise _gave_up(key, options, again)
                pause = min(rest, self._pause(again, delay, options))
                token = await self._waiters.told(ask.owner, pause)
                if token and self._is_granted(lease, token):
                    return
        finally:
            self._waiters.leave(ask.owner)

    async def _ask(self, key: str, ask: Ask, lease: Lease) -> Busy | Exception | None:
        """Ask the store once; return why there is no grant, None when there is."""
        asked = self._now()
        try:
            answer = await self.store.acquire(key, ask)
        except RejectedError as error:
            return error
        except BaseException as error:
            if lease.state == "free":
                lease.ask(asked)
            if isinstance(error, InDoubtError):
                return error
            raise
        # A grant that is told later is made after this answer, so the lease counts from here.
        lease.ask(asked)
        if isinstance(answer, Grant):
            return None if self._is_granted(lease, answer.token) else _OVER
        if not ask.patience:
            lease.refuse()
        return answer

    def _is_granted(self, lease: Lease, token: int) -> bool:
        """Note a grant, unless its news took so long that half of it is over: then ask again."""
        now = self._now()
        if lease.asked + lease.ttl / 2 <= now:
            return False
        lease.grant(token, now)
        return True

    def _pause(self, busy: Busy | Exception, delay: float, options: LockOptions) -> float:
        """Return when to ask next: the first in line once a lease may be over, others later."""
        if isinstance(busy, Exception):
            return delay
        if not self.store.tells:
            return min(delay, options.retry_delay * (1 + busy.ahead))
        if busy.ahead == 0:
            return min(options.ask_every, busy.expires_in + options.retry_delay / 10)
        return options.ask_every

    def _wanted(self, owner: str) -> None:
        """Note that a release will have to hand over, if it is one of ours that is meant."""
        held = self._held.get(owner)
        if held is not None:
            held.wanted = True

    async def _renew(self, held: HeldLock, ttl: float) -> bool:
        return await self.store.renew(held.key, held.ask, ttl)

    def _let_go(self, held: HeldLock) -> bool:
        """Keep a lock alive no more, and return whether it was held until now."""
        self._watchdog.let_go(held)
        if held.let_go():
            return True
        self._lost += 1
        return False

    def _abandon(self, key: str, ask: Ask, lasts: float) -> None:
        self._cleaner.add(key, ask, self._loop.time() + lasts)


def _gave_up(key: str, options: LockOptions, trouble: Busy | Exception) -> Exception:
    if isinstance(trouble, Busy):
        return LockTimeout(key, options.longest_wait)
    error = LockUnavailableError(f"{key!r} could not be asked for: {trouble}")
    error.__cause__ = trouble
    return error
