"""Passwords are checked slowly, beside the loop, and not by everybody at once."""

import asyncio
import time
import unicodedata

import pytest

from loadpath.systems.timeline.api.passwords import (
    Cost,
    Passwords,
    TooManyLoginsError,
    hash_password,
    verify_password,
)

QUICK = Cost(log_n=4, parallel=1)


def test_the_right_password_verifies() -> None:
    """Only the password that was hashed is right."""
    encoded = hash_password("correct horse", QUICK)
    assert verify_password("correct horse", encoded)
    assert not verify_password("correct horsf", encoded)


def test_a_password_may_be_typed_in_either_form() -> None:
    """Composed and decomposed Hangul are the same password."""
    encoded = hash_password("비밀번호입니다", QUICK)
    assert verify_password(unicodedata.normalize("NFD", "비밀번호입니다"), encoded)


def test_equal_passwords_have_different_hashes() -> None:
    """Every hash has its own salt."""
    assert hash_password("same", QUICK) != hash_password("same", QUICK)


def test_an_older_cost_still_verifies() -> None:
    """The cost is stored with the hash, so raising it locks nobody out."""
    encoded = hash_password("old", QUICK)
    assert encoded.startswith("$scrypt$ln=4,r=8,p=1$")
    assert verify_password("old", encoded)


def test_a_foreign_hash_is_an_error() -> None:
    """A column that holds something else is found, not treated as a wrong password."""
    with pytest.raises(ValueError, match="not a password hash"):
        verify_password("x", "$2b$12$abc")


async def test_nobody_is_never_right_and_as_slow() -> None:
    """An unknown name cannot be told from a wrong password by the time it takes."""
    async with Passwords(cost=Cost(log_n=12, parallel=2)) as passwords:
        encoded = await passwords.hash("known")
        known, unknown = [], []
        for _ in range(5):
            known.append(await _timed(passwords, encoded))
            unknown.append(await _timed(passwords, None))
    assert min(unknown) > min(known) / 2


async def _timed(passwords: Passwords, encoded: str | None) -> float:
    began = time.thread_time() + time.process_time()
    assert not await passwords.verify("wrong", encoded)
    return time.thread_time() + time.process_time() - began


async def test_too_many_logins_are_refused() -> None:
    """One works, one waits, the third is told when to come back; places are given back."""
    async with Passwords(workers=1, max_waiting=1, cost=Cost(log_n=10, parallel=1)) as passwords:
        two = asyncio.gather(passwords.hash("a"), passwords.hash("b"))
        await asyncio.sleep(0)
        with pytest.raises(TooManyLoginsError) as refused:
            await passwords.hash("c")
        assert refused.value.retry_after is not None
        await two
        assert await passwords.hash("d")


async def test_a_cancelled_login_keeps_its_place_until_its_thread_is_done() -> None:
    """Hanging up does not let a client start more work than the bound allows."""
    async with Passwords(workers=1, max_waiting=0, cost=Cost(log_n=14, parallel=2)) as passwords:
        task = asyncio.create_task(passwords.hash("a"))
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TooManyLoginsError):
            await passwords.hash("b")


def test_the_arguments_are_checked() -> None:
    """Bounds that make no sense are refused when given."""
    with pytest.raises(ValueError, match="workers"):
        Passwords(workers=0)
    with pytest.raises(ValueError, match="log_n"):
        Cost(log_n=30)
