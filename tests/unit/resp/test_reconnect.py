"""A healthy connection is replaced at once, a flapping one ever more slowly."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.backoff import Backoff
from loadpath.resp.reconnect import LASTED, Reconnect

PLAIN = Backoff(base=0.1, cap=1.0, jitter="none")


def test_a_connection_that_lasted_is_replaced_at_once() -> None:
    """Its loss says nothing about the next try."""
    reconnect = Reconnect(PLAIN, Random(1))
    reconnect.on_failed()
    reconnect.on_connected(10.0)
    assert reconnect.on_lost(10.0 + LASTED) == 0.0


def test_a_server_that_hangs_up_at_once_is_not_asked_without_pause() -> None:
    """Delays grow although every try succeeded."""
    reconnect = Reconnect(PLAIN, Random(1))
    delays = []
    for now in range(5):
        reconnect.on_connected(now)
        delays.append(reconnect.on_lost(now + LASTED / 2))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0]


@given(failures=st.integers(1, 1_000))
def test_failures_before_a_healthy_connection_are_forgotten(failures: int) -> None:
    """The next failure waits as long as the first one."""
    reconnect = Reconnect(PLAIN, Random(1))
    for _ in range(failures):
        assert 0 < reconnect.on_failed() <= 1.0
    reconnect.on_connected(0.0)
    assert reconnect.on_lost(LASTED) == 0.0
    assert reconnect.on_failed() == 0.1
