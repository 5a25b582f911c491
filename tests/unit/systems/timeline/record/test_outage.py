"""Which failures of the record are worth waiting for."""

import asyncpg
import pytest

from loadpath.systems.timeline.record.outage import RECONNECT, Retries, is_outage


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.CrashShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
    ],
)
def test_servers_that_come_back_are_waited_for(error: Exception) -> None:
    """Restarting, crashed, full, or not there yet."""
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError(),
        asyncpg.InvalidCatalogNameError(),
        asyncpg.UndefinedTableError(),
        asyncpg.InsufficientPrivilegeError(),
        ValueError(),
    ],
)
def test_mistakes_are_not_waited_for(error: Exception) -> None:
    """Trying again would fail in the same way for ever."""
    assert not is_outage(error)


def test_delays_grow_and_start_over_after_success() -> None:
    """Bounded, never zero."""
    retries = Retries()
    delays = [retries.delay() for _ in range(20)]
    assert all(0 < delay <= RECONNECT.cap for delay in delays)
    assert delays[-1] >= RECONNECT.cap / 2
    retries.succeeded()
    assert retries.delay() <= RECONNECT.base
