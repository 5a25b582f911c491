"""The breaker's decisions, against a simple model and case by case."""

from collections import deque
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from loadpath.resilience import (
    BreakerChanged,
    BreakerMachine,
    BreakerOpen,
    BreakerPolicy,
    BreakerRejected,
    LastCalls,
    LastSeconds,
    State,
)
from tests.unit.resilience.heard import Heard

POLICY = BreakerPolicy(
    window=LastCalls(6),
    failure_rate=0.5,
    slow_rate=0.75,
    slow_after=2.0,
    minimum_calls=3,
    open_for=10.0,
    half_open_calls=2,
    half_open_wait=7.0,
)
PASSING = {"closed", "disabled", "metrics_only"}


@dataclass(frozen=True)
class Call:
    """A call under way: its ticket, when it began, and in which period of the model."""

    ticket: int
    started: float
    period: int


class Model:
    """Say what the breaker must do, as plainly as possible."""

    def __init__(self) -> None:
        self.period = 0
        self.enter_state("closed", 0.0)

    def enter_state(self, state: State, since: float) -> None:
        """Begin a period."""
        self.period += 1
        self.state: State = state
        self.since = since
        self.recent: deque[tuple[bool, bool]] = deque(maxlen=6)
        self.trial: list[tuple[bool, bool]] = []
        self.out: dict[float | int, float] = {}

    @staticmethod
    def bad(outcomes: list[tuple[bool, bool]]) -> bool:
        """Return whether too many failed or were slow."""
        failed = sum(failed for failed, _ in outcomes)
        slow = sum(slow for _, slow in outcomes)
        return failed / len(outcomes) >= 0.5 or slow / len(outcomes) >= 0.75

    def expire(self, now: float) -> None:
        """Count what is overdue as failed and slow."""
        for key, since in list(self.out.items()):
            if now - since >= 7.0:
                self.out.pop(key, None)
                self.judge_trial((True, True), since + 7.0)

    def judge_trial(self, outcome: tuple[bool, bool], at: float) -> None:
        """Count a trial call and decide at the last one."""
        self.trial.append(outcome)
        if len(self.trial) == 2:
            self.enter_state("open" if self.bad(self.trial) else "closed", at)

    def lets_in(self, now: float) -> bool:
        """Return whether a call passes now, after what time has changed."""
        if self.state == "half_open":
            self.expire(now)
        if self.state == "open" and now - self.since >= 10.0:
            self.enter_state("half_open", now)
        if self.state == "half_open":
            return len(self.trial) + len(self.out) < 2
        return self.state in PASSING

    def ended(self, call: Call, outcome: tuple[bool, bool] | None, now: float) -> None:
        """Count a call that ended, None when it says nothing."""
        if call.period != self.period:
            return
        if self.state == "half_open":
            if outcome is None:
                self.out.pop(call.ticket)
                return
            self.expire(now)
            if call.period == self.period and self.out.pop(call.ticket, None) is not None:
                self.judge_trial(outcome, now)
        elif outcome is not None and self.state in {"closed", "metrics_only"}:
            self.recent.append(outcome)
            enough = len(self.recent) >= 3
            if self.state == "closed" and any(outcome) and enough and self.bad(list(self.recent)):
                self.enter_state("open", now)


class AgainstTheModel(RuleBasedStateMachine):
    """Do what callers, time and people do, in any order."""

    calls: Bundle[Call] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = BreakerMachine("b", POLICY)
        self.model = Model()

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 7.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        """Whole halves of seconds, so that sums are exact."""
        self.now += seconds

    @rule(target=calls)
    def enter(self) -> Call:
        """Begin a call where it passes; both must agree."""
        if not self.model.lets_in(self.now):
            with pytest.raises(BreakerOpen) as caught:
                self.machine.enter(self.now)
            assert 0 <= (caught.value.retry_after or 0.0) <= 10.0
            return Call(-3, self.now, -1)
        ticket = self.machine.enter(self.now)
        if self.model.state == "half_open":
            self.model.out[ticket] = self.now
        return Call(ticket, self.now, self.model.period)

    @rule(call=consumes(calls), failed=st.booleans())
    def end(self, call: Call, failed: bool) -> None:  # noqa: FBT001 - drawn
        """End a call by an answer or an error."""
        (self.machine.fail if failed else self.machine.succeed)(call.ticket, call.started, self.now)
        self.model.ended(call, (failed, self.now - call.started >= 2.0), self.now)

    @rule(call=consumes(calls))
    def give_up(self, call: Call) -> None:
        """Cancel a call: slow when it took long, nothing otherwise."""
        self.machine.give_up(call.ticket, call.started, self.now)
        slow = self.now - call.started >= 2.0
        self.model.ended(call, (False, True) if slow else None, self.now)

    @rule(call=consumes(calls))
    def release(self, call: Call) -> None:
        """End a call by an ignored error."""
        self.machine.release(call.ticket)
        self.model.ended(call, None, self.now)

    @rule(state=st.sampled_from(get_args(State)))
    def switch(self, state: State) -> None:
        """Somebody switches by hand."""
        self.machine.switch(state, self.now)
        self.model.enter_state(state, self.now)

    @invariant()
    def states_agree(self) -> None:
        """The machine is where the model is, and never gives out more permits than allowed."""
        snapshot = self.machine.snapshot(self.now)
        assert snapshot.state == self.model.state
        assert snapshot.permits == len(self.model.out) <= 2
        if self.model.state == "half_open":
            assert snapshot.calls == len(self.model.trial)
            assert snapshot.calls + snapshot.permits <= 2
        elif self.model.state in PASSING:
            assert snapshot.calls == len(self.model.recent)


TestAgainstTheModel = AgainstTheModel.TestCase
TestAgainstTheModel.settings = settings(max_examples=150, stateful_step_count=40)


def drive(machine: BreakerMachine, outcomes: str, now: float = 0.0) -> None:
    """Make calls that end at once: F fails, S succeeds."""
    for outcome in outcomes:
        ticket = machine.enter(now)
        (machine.fail if outcome == "F" else machine.succeed)(ticket, now, now)


def opened(policy: BreakerPolicy | None = None, events: Heard | None = None) -> BreakerMachine:
    """Return a breaker that opened at 0 s."""
    machine = BreakerMachine("b", policy, events=events)
    drive(machine, "FFFFF")
    assert machine.state == "open"
    return machine


def test_five_failures_open_it_and_sixty_seconds_later_it_is_tried() -> None:
    """The guide's defaults."""
    machine = BreakerMachine("b")
    drive(machine, "FFFF")
    assert machine.state == "closed"
    drive(machine, "F")
    assert machine.state == "open"
    with pytest.raises(BreakerOpen, match=r"b is open; retry in 0\.5") as caught:
        machine.enter(59.5)
    assert caught.value.retry_after == 0.5
    machine.enter(60.0)
    assert machine.state == "half_open"


def test_half_of_the_calls_failing_opens_it() -> None:
    """Alternating failures open it, although no two come in a row."""
    machine = BreakerMachine("b", BreakerPolicy(minimum_calls=10))
    drive(machine, "SFSFSFSFS")
    assert machine.state == "closed"
    drive(machine, "F")
    assert machine.state == "open"


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_share_means_what_it_says(percent: int) -> None:
    """Seven failures of a hundred are 0.07, although 0.07 x 100 is above 7 in floats."""
    policy = BreakerPolicy(
        window=LastCalls(100), minimum_calls=100, failure_rate=percent / 100, slow_rate=1.0
    )
    below, reached = BreakerMachine("b", policy), BreakerMachine("b", policy)
    drive(below, "S" * (101 - percent) + "F" * (percent - 1))
    drive(reached, "S" * (100 - percent) + "F" * percent)
    assert (below.state, reached.state) == ("closed", "open")


def test_a_success_never_opens_it() -> None:
    """The minimum may be reached by a success, but only a failure or slowness opens."""
    machine = BreakerMachine("b")
    drive(machine, "FFFFS")
    assert machine.state == "closed"


def test_old_failures_are_forgotten() -> None:
    """Failures older than the window count no more."""
    machine = BreakerMachine("b", BreakerPolicy(window=LastSeconds(10.0)))
    drive(machine, "FFFF", now=0.0)
    drive(machine, "F", now=11.0)
    assert machine.state == "closed"


def test_slow_calls_open_it() -> None:
    """Calls that all succeed, too late."""
    machine = BreakerMachine("b", BreakerPolicy(slow_after=1.0, slow_rate=0.5))
    for start in range(5):
        machine.succeed(machine.enter(start), start, start + 1.0)
    assert machine.state == "open"
    assert machine.snapshot(5.0).slow == 5


def test_calls_given_up_after_long_are_slow() -> None:
    """Callers that lose patience say that the dependency is slow; impatient ones say nothing."""
    machine = BreakerMachine("b", BreakerPolicy(slow_after=1.0))
    for _ in range(5):
        machine.give_up(machine.enter(0.0), 0.0, 0.5)
    assert machine.snapshot(0.5).calls == 0
    for _ in range(5):
        machine.give_up(machine.enter(0.0), 0.0, 1.0)
    assert machine.state == "open"


def test_of_fifty_calls_after_the_wait_three_pass() -> None:
    """The recovering dependency is not trampled."""
    machine = opened()
    for _ in range(3):
        machine.enter(60.0)
    for _ in range(47):
        with pytest.raises(BreakerOpen) as caught:
            machine.enter(60.0)
        assert (caught.value.state, caught.value.retry_after) == ("half_open", None)
    assert machine.snapshot(60.0).permits == 3


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [("SSS", "closed"), ("SSF", "closed"), ("SFF", "open"), ("FSF", "open"), ("FFF", "open")],
)
def test_the_trial_is_decided_by_its_shares(outcomes: str, state: State) -> None:
    """After the permitted calls, not after the first, half of them failing opens again."""
    machine = opened()
    drive(machine, outcomes[:2], now=60.0)
    assert machine.state == "half_open"
    drive(machine, outcomes[2], now=60.0)
    assert machine.state == state


def test_slow_trial_calls_open_it_again() -> None:
    """A dependency that answers too late has not recovered."""
    machine = opened(BreakerPolicy(slow_after=1.0, half_open_calls=1))
    machine.succeed(machine.enter(60.0), 60.0, 61.0)
    assert machine.state == "open"


def test_a_cancelled_trial_call_gives_its_permit_back() -> None:
    """However many are cancelled, the trial ends by those that are answered."""
    machine = opened()
    for _ in range(1_000):
        tickets = [machine.enter(60.0) for _ in range(3)]
        for ticket in tickets:
            machine.give_up(ticket, 60.0, 60.0)
    drive(machine, "SSS", now=60.0)
    assert machine.state == "closed"


def test_a_permit_that_never_returns_expires() -> None:
    """Three hanging trial calls end the trial after its wait, as failed; late answers are stale."""
    machine = opened(BreakerPolicy(half_open_wait=5.0))
    tickets = [machine.enter(60.0) for _ in range(3)]
    with pytest.raises(BreakerOpen):
        machine.enter(64.9)
    assert machine.would_pass(65.0)
    with pytest.raises(BreakerOpen) as caught:
        machine.enter(65.0)
    assert (caught.value.state, caught.value.retry_after) == ("open", 60.0)
    for ticket in tickets:
        machine.succeed(ticket, 60.0, 66.0)
    assert machine.state == "open"
    drive(machine, "SSS", now=125.0)
    assert machine.state == "closed"


def test_one_lost_permit_does_not_hold_the_trial_up() -> None:
    """Two good answers and one that is lost: two thirds are fine, so it closes."""
    machine = opened(BreakerPolicy(half_open_wait=5.0))
    machine.enter(60.0)
    drive(machine, "SS", now=60.0)
    assert machine.state == "half_open"
    assert machine.enter(65.0) >= 0
    assert machine.state == "closed"


def test_an_answer_that_comes_after_its_permit_expired_counts_as_failed() -> None:
    """Nobody noticed the expiry until the answer itself came."""
    machine = opened(BreakerPolicy(half_open_wait=5.0, half_open_calls=1))
    machine.succeed(machine.enter(60.0), 60.0, 65.0)
    assert machine.state == "open"


def test_stale_answers_never_count() -> None:
    """Calls that began before the breaker opened say nothing about the trial or after it."""
    machine = BreakerMachine("b")
    stale = [machine.enter(0.0) for _ in range(100)]
    drive(machine, "FFFFF")
    for ticket in stale[:50]:
        machine.succeed(ticket, 0.0, 1.0)
    assert machine.state == "open"
    drive(machine, "S", now=60.0)
    for ticket in stale[50:80]:
        machine.fail(ticket, 0.0, 60.0)
    assert machine.snapshot(60.0).calls == 1
    drive(machine, "SS", now=60.0)
    for ticket in stale[80:]:
        machine.fail(ticket, 0.0, 60.0)
    assert machine.state == "closed"
    assert machine.snapshot(60.0).calls == 0


def test_a_ticket_counts_once() -> None:
    """A trial call that is told twice is one call."""
    machine = opened()
    ticket = machine.enter(60.0)
    for _ in range(3):
        machine.succeed(ticket, 60.0, 60.0)
        machine.release(ticket)
    assert machine.state == "half_open"
    assert machine.snapshot(60.0).calls == 1


def test_forced_open_stays_until_switched() -> None:
    """No time opens it again; the error names the state and knows no moment."""
    machine = BreakerMachine("b")
    machine.switch("forced_open", 0.0)
    with pytest.raises(BreakerOpen, match="forced_open; retry later") as caught:
        machine.enter(1e9)
    assert caught.value.retry_after is None
    assert not machine.would_pass(1e9)
    machine.switch("closed", 1e9)
    machine.enter(1e9)


def test_disabled_counts_nothing_and_metrics_only_never_opens() -> None:
    """Both let everything pass."""
    machine = BreakerMachine("b")
    machine.switch("disabled", 0.0)
    drive(machine, "F" * 100)
    assert machine.snapshot(0.0).calls == 0
    late = machine.enter(0.0)
    machine.switch("metrics_only", 0.0)
    machine.fail(late, 0.0, 0.0)
    drive(machine, "F" * 100)
    snapshot = machine.snapshot(0.0)
    assert (snapshot.state, snapshot.calls, snapshot.failed) == ("metrics_only", 100, 100)


def test_a_clock_that_steps_back_delays_by_one_wait_at_most() -> None:
    """The wait begins again; it does not last until the clock has caught up."""
    machine = opened()
    with pytest.raises(BreakerOpen) as caught:
        machine.enter(-1e6)
    assert caught.value.retry_after == 60.0
    tickets = [machine.enter(-1e6 + 60.0) for _ in range(3)]
    with pytest.raises(BreakerOpen):
        machine.enter(-2e6)
    assert machine.snapshot(-2e6).permits == len(tickets) == 3
    with pytest.raises(BreakerOpen):
        machine.enter(-2e6 + 60.0)
    assert machine.state == "open"


def test_a_clock_that_jumps_forwards_ends_the_wait() -> None:
    """After a night's sleep of the machine it is tried, not left open."""
    machine = opened()
    machine.enter(1e9)
    assert machine.state == "half_open"


def test_changes_and_refusals_are_told() -> None:
    """Each change once, with the figures that caused it, and each refusal."""
    heard = Heard()
    machine = opened(BreakerPolicy(half_open_calls=1), heard)
    with pytest.raises(BreakerOpen):
        machine.enter(1.0)
    drive(machine, "S", now=60.0)
    machine.switch("closed", 60.0)
    change = BreakerChanged(name="b", before="closed", after="open", calls=5, failed=5, slow=0)
    assert heard.events == [
        change,
        BreakerRejected(name="b", state="open", retry_after=59.0),
        replace_struct(change, before="open", after="half_open", calls=0, failed=0),
        replace_struct(change, before="half_open", after="closed", calls=1, failed=0),
    ]
    assert machine.snapshot(60.0).rejected == machine.snapshot(60.0).opened == 1


def replace_struct(event: BreakerChanged, **given: object) -> BreakerChanged:
    """Return an event with other fields."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return BreakerChanged(**{**fields, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"failure_rate": 0.0}, "failure_rate must be above 0 up to 1"),
        ({"failure_rate": 50.0}, "failure_rate must be above 0 up to 1"),
        ({"slow_rate": float("nan")}, "slow_rate"),
        ({"slow_after": 0.0}, "slow_after must be above 0 s"),
        ({"open_for": -1.0}, "open_for"),
        ({"half_open_wait": 0.0}, "half_open_wait"),
        ({"minimum_calls": 0}, "minimum_calls must be at least 1"),
        ({"half_open_calls": 0}, "half_open_calls"),
        ({"window": LastCalls(4)}, "minimum_calls 5 must fit into the window of 4"),
    ],
)
def test_a_policy_without_meaning_is_refused(given: dict[str, object], message: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=message):
        replace(BreakerPolicy(), **given)  # type: ignore[arg-type] # drawn from the table


def test_windows_and_states_without_meaning_are_refused() -> None:
    """A window holds something, and a state exists."""
    with pytest.raises(ValueError, match="size must be at least 1"):
        LastCalls(0)
    with pytest.raises(ValueError, match="seconds must be above 0"):
        LastSeconds(0.0)
    with pytest.raises(ValueError, match="buckets at least 1"):
        LastSeconds(1.0, buckets=0)
    with pytest.raises(ValueError, match="state must be one of"):
        BreakerMachine("b").switch("broken", 0.0)  # type: ignore[arg-type] # on purpose
