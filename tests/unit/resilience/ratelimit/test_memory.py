"""Memory holds a bounded number of keys, and forgets the right ones."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loadpath.resilience import MemoryRates, Rate, RateLimited
from loadpath.resilience.ratelimit.gcra import NEW, admit
from loadpath.testing import FakeClock

RATE = Rate(limit=2, burst=3)


def admitted(store: MemoryRates, key: str, rate: Rate = RATE) -> bool:
    """Return whether a request is admitted; nothing in memory ever waits."""
    try:
        store.admit(key, rate).send(None)
    except StopIteration:
        return True
    except RateLimited:
        return False
    raise AssertionError("it waited")


class AgainstADictionary(RuleBasedStateMachine):
    """With room for all, the store is a dictionary of schedules."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryRates(keys=4, clock=self.clock)
        self.schedules: dict[str, float] = {}

    @rule(key=st.sampled_from("abcd"))
    def request(self, key: str) -> None:
        """One request of one of four clients."""
        now = self.clock.monotonic()
        try:
            self.schedules[key] = admit(RATE, self.schedules.get(key, NEW), now)
        except RateLimited:
            assert not admitted(self.store, key)
        else:
            assert admitted(self.store, key)

    @rule(seconds=st.floats(0, 2))
    def time_passes(self, seconds: float) -> None:
        """Some rest."""
        self.clock.advance(seconds)

    @invariant()
    def bounded(self) -> None:
        """Four keys at most, none forgotten while it counted."""
        assert self.store.snapshot().keys <= 4
        assert self.store.snapshot().forgotten == 0


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=50, stateful_step_count=40)


def test_rested_keys_leave_by_themselves() -> None:
    """A million clients that come once leave no million keys."""
    clock = FakeClock()
    store = MemoryRates(keys=1_000, clock=clock)
    for client in range(20_000):
        clock.advance(0.01)
        assert admitted(store, str(client))
    assert store.snapshot().keys <= 60
    assert store.snapshot().forgotten == 0


def test_when_too_many_are_active_the_oldest_is_forgotten() -> None:
    """Memory stays bounded; what that costs is counted."""
    store = MemoryRates(keys=10, clock=FakeClock())
    slow = Rate(limit=1, period=3_600.0)
    assert all(admitted(store, str(client), slow) for client in range(11))
    assert not admitted(store, "10", slow)
    assert admitted(store, "0", slow)
    assert (store.snapshot().keys, store.snapshot().forgotten) == (10, 2)


def test_a_store_without_room_is_refused() -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="keys must be at least 1"):
        MemoryRates(keys=0)
