"""Rules of a lock: one of many orders of events after another, never two too many."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loadpath.lock import Ask, Busy, Grant, Ledger

CAPACITY = 4
names = st.sampled_from("abcdefgh")


class Locks(RuleBasedStateMachine):
    """Many owners ask, renew, release, die and come back, while time passes and clocks step."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = 0.0
        self.wall = 1_000_000.0
        self.tokens: list[int] = []
        self.until: dict[str, tuple[int, float]] = {}
        self.asked: dict[str, Ask] = {}

    def noted(self, owner: str, weight: int, ttl: float) -> None:
        """Remember until when an owner may believe that it holds."""
        self.until[owner] = (weight, self.now + ttl)

    @rule(
        name=names,
        weight=st.integers(1, CAPACITY),
        ttl=st.floats(0.5, 5.0),
        patience=st.sampled_from([0.0, 1.0, 3.0]),
    )
    def acquire(self, name: str, weight: int, ttl: float, patience: float) -> None:
        """Ask, under a name that may hold or wait already."""
        ask = self.asked.setdefault(name, Ask(name, ttl, patience, weight, CAPACITY))
        answer, handed = self.ledger.acquire(ask, now=self.now, wall=self.wall)
        for owner, token in handed:
            self.tokens.append(token)
            self.noted(owner, self.asked[owner].weight, self.asked[owner].ttl)
        if isinstance(answer, Grant):
            if answer.token not in self.tokens:
                self.tokens.append(answer.token)
            self.noted(name, ask.weight, ask.ttl)
        else:
            assert isinstance(answer, Busy)
            assert answer.expires_in >= 0
            assert name not in {one.owner for one in self.ledger.holdings(self.now)}

    @rule(name=names, ttl=st.floats(0.5, 5.0))
    def renew(self, name: str, ttl: float) -> None:
        """Renew what may be over."""
        held = name in {one.owner for one in self.ledger.holdings(self.now)}
        assert self.ledger.renew(name, ttl, now=self.now) is held
        if held:
            self.noted(name, self.asked[name].weight, ttl)

    @rule(name=names)
    def release(self, name: str) -> None:
        """Release what may not be held."""
        held = name in {one.owner for one in self.ledger.holdings(self.now)}
        released, handed = self.ledger.release(name, now=self.now, wall=self.wall)
        assert released is held
        self.until.pop(name, None)
        for owner, token in handed:
            self.tokens.append(token)
            self.noted(owner, self.asked[owner].weight, self.asked[owner].ttl)
        self.asked.pop(name, None)

    @rule(seconds=st.floats(0.0, 4.0))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.wall += seconds

    @rule(seconds=st.floats(-1_000.0, 1_000.0))
    def step_the_clock(self, seconds: float) -> None:
        """Correct the wall clock, either way."""
        self.wall += seconds

    @precondition(lambda self: not self.ledger.holdings(self.now))
    @rule()
    def forget(self) -> None:
        """Lose everything, as an empty restart does, and grant on a clock that is not behind."""
        self.wall = max(self.wall, (max(self.tokens, default=0) + 1) / 1e6)
        self.ledger = Ledger()
        self.asked.clear()
        self.until.clear()
        self.acquire("first", 1, 1.0, 0.0)
        self.release("first")

    @invariant()
    def no_more_is_held_than_there_is(self) -> None:
        """Neither by the ledger nor by what the owners may believe."""
        assert sum(one.weight for one in self.ledger.holdings(self.now)) <= CAPACITY
        believed = sum(weight for weight, until in self.until.values() if until > self.now)
        assert believed <= CAPACITY

    @invariant()
    def tokens_grow(self) -> None:
        """Whatever the wall clock does."""
        assert all(before < after for before, after in pairwise(self.tokens))


TestLocks = Locks.TestCase


@given(clocks=st.lists(st.floats(0, 2e9), min_size=2, max_size=50))
def test_tokens_grow_whatever_the_clock_says(clocks: list[float]) -> None:
    """The remembered token is a floor."""
    ledger, tokens = Ledger(), []
    for number, wall in enumerate(clocks):
        answer, _ = ledger.acquire(Ask(f"{number}", 1.0), now=0.0, wall=wall)
        assert isinstance(answer, Grant)
        tokens.append(answer.token)
        ledger.release(f"{number}", now=0.0, wall=wall)
    assert all(before < after for before, after in pairwise(tokens))


def test_an_idle_ledger_says_so() -> None:
    """So that a store may forget it."""
    ledger = Ledger()
    assert ledger.idle
    ledger.acquire(Ask("a", 1.0), now=0.0, wall=0.0)
    ledger.acquire(Ask("b", 1.0, 5.0), now=0.0, wall=0.0)
    assert not ledger.idle
    assert ledger.waiting == 1
    ledger.release("a", now=0.0, wall=0.0)
    ledger.release("b", now=0.0, wall=0.0)
    assert ledger.idle
