"""Passwords: scrypt with a salt per user, computed beside the event loop.

Hashing is slow on purpose, so it runs in few threads, and only so many may wait for one: a flood
of logins is refused before it takes the machine. A name that nobody has costs the same time.

Source: RFC 7914 (scrypt); OWASP Password Storage Cheat Sheet (N=2^14, r=8, p=5).
"""

import asyncio
import hashlib
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hmac import compare_digest
from typing import Self, TypeVar

from loadpath.core.errors import RejectedError

_T = TypeVar("_T")

_BLOCK = 8  # r
_SALT_BYTES = 16
_HASH_BYTES = 32
_MEMORY = 1 << 26  # bytes: what OpenSSL may use, four times what N=2^14 needs
_ENCODED = re.compile(r"\$scrypt\$ln=(\d+),r=8,p=(\d+)\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")


class TooManyLoginsError(RejectedError, RuntimeError):
    """Refuse a login or sign-up before it was tried, because too many wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Say how dear one guess is.

    Attributes:
        log_n: Logarithm of the memory cost; memory is 1 KiB x 2^log_n.
        parallel: How often it is done over.
    """

    log_n: int = 14
    parallel: int = 5

    def __post_init__(self) -> None:
        if not (1 <= self.log_n <= 15 and 1 <= self.parallel <= 64):  # noqa: PLR2004 - told below
            raise ValueError(f"log_n must be 1-15 and parallel 1-64: {self}")


def hash_password(password: str, cost: Cost) -> str:
    """Return salt, cost and hash of a password as one line of text."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _encode(cost, salt, _derive(password, cost, salt))


def verify_password(password: str, encoded: str) -> bool:
    """Return whether the password is the one that was hashed.

    Raises:
        ValueError: `encoded` was not made by `hash_password`.
    """
    match = _ENCODED.fullmatch(encoded)
    if match is None:
        raise ValueError("not a password hash of this system")
    cost = Cost(log_n=int(match[1]), parallel=int(match[2]))
    return compare_digest(_derive(password, cost, b64decode(match[3])), b64decode(match[4]))


def _derive(password: str, cost: Cost, salt: bytes) -> bytes:
    return hashlib.scrypt(
        unicodedata.normalize("NFC", password).encode(),
        salt=salt,
        n=1 << cost.log_n,
        r=_BLOCK,
        p=cost.parallel,
        maxmem=_MEMORY,
        dklen=_HASH_BYTES,
    )


def _encode(cost: Cost, salt: bytes, hash_: bytes) -> str:
    return (
        f"$scrypt$ln={cost.log_n},r={_BLOCK},p={cost.parallel}"
        f"${b64encode(salt).decode()}${b64encode(hash_).decode()}"
    )


class Passwords:
    """Hash and check passwords without blocking the event loop.

    Args:
        workers: Threads.
        max_waiting: Most calls that wait for a thread; more are refused.
        cost: Of new hashes; old ones keep theirs.
    """

    def __init__(
        self, *, workers: int = 2, max_waiting: int = 32, cost: Cost | None = None
    ) -> None:
        if workers < 1 or max_waiting < 0:
            raise ValueError(
                f"workers must be at least 1 and max_waiting 0, not {workers} and {max_waiting}"
            )
        self._cost = cost or Cost()
        self._most = workers + max_waiting
        self._entered = 0
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="passwords")
        nobody = secrets.token_bytes(_SALT_BYTES)
        self._nobody = _encode(self._cost, nobody, secrets.token_bytes(_HASH_BYTES))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return what to store for a password.

        Raises:
            TooManyLoginsError: Too many wait.
        """
        return await self._run(lambda: hash_password(password, self._cost))

    async def verify(self, password: str, encoded: str | None) -> bool:
        """Return whether the password is right; None, for nobody, is never right but as slow.

        Raises:
            TooManyLoginsError: Too many wait.
        """
        return await self._run(lambda: verify_password(password, encoded or self._nobody))

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._entered >= self._most:
            raise TooManyLoginsError("too many logins wait: try again", retry_after=2.0)
        self._entered += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._left)
        # A caller that is cancelled must not free the place of a thread that still works.
        return await asyncio.shield(future)

    def _left(self, _: asyncio.Future[_T]) -> None:
        self._entered -= 1
