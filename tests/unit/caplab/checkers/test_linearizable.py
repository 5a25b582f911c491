"""The verdicts are right, and always one is reached."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadpath.caplab.checkers import Budget, linearizable
from loadpath.caplab.history import Call, History, calls_of
from loadpath.caplab.models import (
    NO,
    Bank,
    CasRegister,
    FifoQueue,
    KeyValue,
    Model,
    ModelError,
    Mutex,
    Register,
)
from tests.unit.caplab.histories import BankStore, RegisterStore, edn

STALE_READ = "0 invoke write 1\n0 ok write 1\n1 invoke read nil\n1 ok read nil"


def precedes(one: Call, other: Call) -> bool:
    """Whether a call had ended when another began."""
    return one.end is not None and one.end < other.start


def explains(order: Sequence[Call], model: Model) -> bool:
    """Whether an order keeps real time and fits every answer."""
    for place, call in enumerate(order):
        if any(precedes(later, call) for later in order[place + 1 :]):
            return False
    state: Any = model.initial
    for call in order:
        state = model.action(call)(state)
        if state is NO:
            return False
    return True


def by_force(calls: Sequence[Call], model: Model) -> bool:
    """Try every order of every choice of the calls that may have happened."""
    maybe = [call for call in calls if call.end is None]
    sure = [call for call in calls if call.end is not None]
    for choice in range(1 << len(maybe)):
        chosen = sure + [call for n, call in enumerate(maybe) if choice >> n & 1]
        if any(explains(order, model) for order in permutations(chosen)):
            return True
    return False


@st.composite
def small(draw: st.DrawFn) -> History:
    """Return a history of up to six calls, of answers that may be wrong."""
    lines, open_, process = [], {}, 0
    for _ in range(draw(st.integers(1, 12))):
        if open_ and (draw(st.booleans()) or process == 6):
            who = draw(st.sampled_from(sorted(open_)))
            f, value = open_.pop(who)
            end = draw(st.sampled_from(["ok", "ok", "ok", "info", "fail"]))
            answer = draw(st.sampled_from(["nil", "0", "1"])) if f == "read" else value
            lines.append(f"{who} {end} {f} {answer}")
        elif process < 6:
            f = draw(st.sampled_from(["read", "write", "cas"]))
            value = {"read": "nil", "write": "0", "cas": "[0 1]"}[f]
            if f == "write":
                value = draw(st.sampled_from(["0", "1"]))
            open_[process] = (f, value)
            lines.append(f"{process} invoke {f} {value}")
            process += 1
    return edn("\n".join(lines))


@settings(max_examples=300, deadline=None)
@given(small(), st.sampled_from(["absent", "refused"]))
def test_the_verdict_is_that_of_trying_everything(history: History, fails: Any) -> None:
    """All orders of small histories, under both meanings of fail."""
    model = CasRegister()
    calls = [
        call for call in calls_of(history, fails=fails) if call.outcome != "fail" or call.f == "cas"
    ]
    if any(call.outcome == "fail" and call.f != "cas" for call in calls_of(history, fails=fails)):
        return
    assert linearizable(history, model, fails=fails).valid is by_force(calls, model)


@pytest.mark.parametrize("seed", range(20))
def test_a_right_register_is_valid(seed: int) -> None:
    """Whatever crashes, and however much is open at once."""
    history = RegisterStore(seed, processes=5).run(100)
    assert linearizable(history, CasRegister()).valid


def test_a_stale_register_is_caught() -> None:
    """Mostly: calls without an answer explain much, and then nobody could have noticed."""
    verdicts = [
        linearizable(RegisterStore(seed, processes=2, stale=0.6).run(60), CasRegister()).valid
        for seed in range(20)
    ]
    assert verdicts.count(False) >= 15


@pytest.mark.parametrize("seed", range(5))
def test_a_right_bank_is_valid_and_a_stale_one_is_not(seed: int) -> None:
    """Transfers and reads of all balances, six clients."""
    model = Bank(balances=dict.fromkeys(range(4), 10))
    assert linearizable(BankStore(seed, processes=6).run(150), model).valid
    assert linearizable(BankStore(seed, processes=6, stale=0.3).run(150), model).valid is False


def test_a_counter_example_is_short_and_true() -> None:
    """The write that was missed, and the read that missed it."""
    noise = "5 invoke write 7\n5 ok write 7\n5 invoke read nil\n5 ok read 7\n"
    text = noise + "0 invoke write 1\n0 ok write 1\n1 invoke read nil\n1 ok read 7\n"
    (finding,) = linearizable(edn(text), Register(), explain=True).findings
    assert finding.operations == (2, 4, 6)  # 7 was seen, 1 written after it, and 7 seen again
    assert "process 1: read → 7" in finding.words


def test_keys_are_judged_apart() -> None:
    """A wrong one is named; the other key's value is none of its business."""
    history = edn(
        "0 invoke write [:a 1]\n0 ok write [:a 1]\n1 invoke read [:b nil]\n1 ok read [:b nil]\n"
        "1 invoke read [:a nil]\n1 ok read [:a nil]"
    )
    verdict = linearizable(history, Register())
    assert verdict.valid is False
    assert verdict.figures["keys"] == 2
    assert "of key a" in verdict.findings[0].words


def test_a_model_of_keys_needs_keys() -> None:
    """Else it would judge all as one."""
    with pytest.raises(ModelError, match=r"\[key value\]"):
        linearizable(edn("0 invoke get nil\n0 ok get nil"), KeyValue())


def test_an_empty_history_is_valid() -> None:
    """There is nothing to explain."""
    assert linearizable(History(), Mutex()).valid


@pytest.mark.parametrize("fails", ["absent", "refused"])
def test_a_refused_cas_says_something_or_nothing(fails: Any) -> None:
    """The value was 1, so that the answer can only have been yes."""
    history = edn("0 invoke write 1\n0 ok write 1\n0 invoke cas [1 2]\n0 fail cas [1 2]")
    assert linearizable(history, CasRegister(), fails=fails).valid is (fails == "absent")


def test_what_was_never_answered_may_have_happened_late_or_never() -> None:
    """A write that timed out shows up after a read that did not see it, or does not."""
    late = "0 invoke write 1\n0 info write 1\n1 invoke read nil\n1 ok read nil\n"
    assert linearizable(edn(late), Register()).valid
    seen = late + "1 invoke read nil\n1 ok read 1\n"
    assert linearizable(edn(seen), Register()).valid
    gone = seen + "1 invoke read nil\n1 ok read nil"
    assert linearizable(edn(gone), Register()).valid is False


def test_many_crashed_calls_cost_little() -> None:
    """Those that ask for the same are interchangeable: 60 would have 2 to the 60th choices."""
    lines = [f"{n} invoke cas [{n % 3} {(n + 1) % 3}]\n{n} info cas nil" for n in range(60)]
    lines += ["99 invoke write 0\n99 ok write 0", "99 invoke read nil\n99 ok read 7"]
    verdict = linearizable(edn("\n".join(lines)), CasRegister())
    assert verdict.valid is False
    assert verdict.figures["states"] < 50_000


def test_a_budget_of_steps_ends_in_unknown() -> None:
    """Never in a guess, and never in a hang."""
    history = BankStore(1, processes=6).run(100)
    model = Bank(balances=dict.fromkeys(range(4), 10))
    budget = Budget(steps=5)
    verdict = linearizable(history, model, budget=budget)
    assert verdict.valid is None
    assert "budget ended after 5 states" in (verdict.reason or "")
    assert budget.taken == 5


def test_a_budget_of_time_ends_in_unknown() -> None:
    """The clock is handed in, and looked at while the search goes on."""
    lines = [f"{n} invoke enqueue {n}" for n in range(14)]
    lines += [f"{n} ok enqueue {n}" for n in range(14)]
    lines += [f"0 invoke dequeue nil\n0 ok dequeue {n}" for n in (5, 3, 3)]
    clock = iter(range(1_000_000)).__next__
    budget = Budget(deadline=4, clock=clock)
    verdict = linearizable(edn("\n".join(lines)), FifoQueue(), budget=budget)
    assert verdict.valid is None


def test_a_wrong_key_is_found_although_another_takes_for_ever() -> None:
    """Every key has its turn."""
    lines = [f"{n} invoke enqueue [:slow {n}]" for n in range(14)]
    lines += [f"{n} ok enqueue [:slow {n}]" for n in range(14)]
    lines += [f"0 invoke dequeue [:slow nil]\n0 ok dequeue [:slow {n}]" for n in (5, 3, 3)]
    lines += ["0 invoke dequeue [:wrong nil]\n0 ok dequeue [:wrong 1]"]
    history = edn("\n".join(lines).replace("dequeue", "get").replace("enqueue", "put"))
    told: list[int] = []
    budget = Budget(steps=200_000, tell=told.append)
    verdict = linearizable(history, _Queues(), budget=budget)
    assert verdict.valid is False
    assert "of key wrong" in verdict.findings[0].words
    assert told


class _Queues(FifoQueue):
    """Queues by key, in the words of a key-value store."""

    by_key = True

    def pure(self, call: Call) -> bool:
        return super().pure(_in_words_of_a_queue(call))

    def action(self, call: Call) -> Any:
        return super().action(_in_words_of_a_queue(call))


def _in_words_of_a_queue(call: Call) -> Call:
    return call._replace(f={"get": "dequeue", "put": "enqueue"}[call.f])


@pytest.mark.parametrize(
    ("arguments", "says"), [({"steps": 0}, "steps"), ({"deadline": 1.0}, "needs a clock")]
)
def test_a_budget_is_checked(arguments: dict[str, Any], says: str) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=says):
        Budget(**arguments)
