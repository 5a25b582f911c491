"""The guide's RedisDistributedLock, statement by statement: chapter 4, "Redis 기반 분산 락".

`Date.now`, `Math.random` and `process.pid` are a process's own, so they are handed in. Seconds are
seconds here, milliseconds stay where the server gets them. Log lines are left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import floor
from random import Random
from typing import Any, Protocol

RELEASE = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("DEL", KEYS[1])
else
  return 0
end
"""
EXTEND = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("PEXPIRE", KEYS[1], ARGV[2])
else
  return 0
end
"""


class Redis(Protocol):
    """Do what the guide's client does."""

    async def set(self, key: str, value: str, *, px: int, nx: bool) -> Any:
        """SET key value PX px NX."""
        ...

    async def eval(self, script: str, keys: int, *rest: Any) -> Any:
        """EVAL."""
        ...

    async def get(self, key: str) -> Any:
        """GET."""
        ...


@dataclass
class Process:
    """What a Node.js process has of its own."""

    date_now: Callable[[], int]
    random: Random
    pid: int


class RedisDistributedLock:
    """The guide's lock."""

    def __init__(
        self,
        redis: Redis,
        process: Process,
        lock_key: str,
        *,
        ttl: int = 30_000,
        retry_delay: int = 100,
        max_retries: int = 10,
    ) -> None:
        self.redis = redis
        self.process = process
        self.lock_key = lock_key
        self.lock_value = self.generate_lock_value()
        self.ttl = ttl
        self.retry_delay = retry_delay
        self.max_retries = max_retries
        self.is_locked = False
        self.lock_timer: asyncio.Task[None] | None = None

    async def acquire(self) -> bool:
        """`acquire()`."""
        for attempt in range(self.max_retries + 1):
            try:
                result = await self.redis.set(self.lock_key, self.lock_value, px=self.ttl, nx=True)
                if result:
                    self.is_locked = True
                    self.start_lock_renewal()
                    return True
                if attempt < self.max_retries:
                    await asyncio.sleep(self.calculate_retry_delay(attempt) / 1000)
            except Exception:
                if attempt == self.max_retries:
                    raise
        return False

    async def release(self) -> bool:
        """`release()`."""
        if not self.is_locked:
            return False
        try:
            result = await self.redis.eval(RELEASE, 1, self.lock_key, self.lock_value)
        except Exception:  # noqa: BLE001 - as written
            return False
        if result == 1:
            self.is_locked = False
            self.stop_lock_renewal()
            return True
        return False

    async def extend(self, new_ttl: int) -> bool:
        """`extend(newTtl)`."""
        if not self.is_locked:
            return False
        try:
            result = await self.redis.eval(EXTEND, 1, self.lock_key, self.lock_value, new_ttl)
        except Exception:  # noqa: BLE001 - as written
            return False
        return bool(result == 1)

    async def is_acquired(self) -> bool:
        """`isAcquired()`."""
        try:
            value = await self.redis.get(self.lock_key)
        except Exception:  # noqa: BLE001 - as written
            return False
        return bool(value == self.lock_value.encode())

    def start_lock_renewal(self) -> None:
        """`startLockRenewal()`: every 70 % of the ttl, by setInterval."""
        interval = floor(self.ttl * 0.7) / 1000

        async def renew() -> None:
            while True:
                await asyncio.sleep(interval)
                if self.is_locked:
                    success = await self.extend(self.ttl)
                    if not success:
                        self.is_locked = False
                        return

        self.lock_timer = asyncio.ensure_future(renew())

    def stop_lock_renewal(self) -> None:
        """`stopLockRenewal()`."""
        if self.lock_timer:
            self.lock_timer.cancel()
            self.lock_timer = None

    def calculate_retry_delay(self, attempt: int) -> float:
        """`calculateRetryDelay(attempt)`."""
        delay = self.retry_delay * 2**attempt
        jitter = delay * 0.25 * (self.process.random.random() * 2 - 1)
        return min(delay + jitter, 1000)

    def generate_lock_value(self) -> str:
        """`generateLockValue()`."""
        digits = f"{self.process.random.random():.9f}"[2:]
        return f"{self.process.date_now()}-{digits}-{self.process.pid}"


class DistributedLockManager:
    """The guide's manager."""

    def __init__(self, redis: Redis, process: Process) -> None:
        self.redis = redis
        self.process = process
        self.locks: dict[str, RedisDistributedLock] = {}

    async def acquire_lock(self, lock_key: str, **options: Any) -> RedisDistributedLock | None:
        """`acquireLock(lockKey, options)`."""
        lock = RedisDistributedLock(self.redis, self.process, lock_key, **options)
        acquired = await lock.acquire()
        if acquired:
            self.locks[lock_key] = lock
            return lock
        return None

    async def release_lock(self, lock_key: str) -> bool:
        """`releaseLock(lockKey)`."""
        lock = self.locks.get(lock_key)
        if lock:
            released = await lock.release()
            del self.locks[lock_key]
            return released
        return False

    async def release_all_locks(self) -> None:
        """`releaseAllLocks()`."""
        await asyncio.gather(*(lock.release() for lock in self.locks.values()))
        self.locks.clear()

    async def is_lock_acquired(self, lock_key: str) -> bool:
        """`isLockAcquired(lockKey)`."""
        lock = self.locks.get(lock_key)
        if lock:
            return await lock.is_acquired()
        return False


async def critical_section(
    manager: DistributedLockManager,
    lock_key: str,
    operation: Callable[[], Awaitable[None]],
    *,
    ttl: int = 10_000,
) -> None:
    """`criticalSection(lockKey, operation)`."""
    lock = await manager.acquire_lock(lock_key, ttl=ttl, max_retries=5, retry_delay=200)
    if not lock:
        raise RuntimeError("Failed to acquire lock")
    try:
        await operation()
    finally:
        await lock.release()
