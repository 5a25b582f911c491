"""Mutex, queues, set, counter and bank do what they do."""

from typing import Any

import pytest

from loadpath.caplab.history import Call
from loadpath.caplab.history.calls import Outcome
from loadpath.caplab.models import (
    NO,
    Bank,
    Counter,
    FifoQueue,
    GrowOnlySet,
    Model,
    ModelError,
    Mutex,
    UnorderedQueue,
)

BANK = Bank(balances={"a": 5, 1: 0})
MOVE = {"from": "a", "to": "1", "amount": 3}


def call(f: str, value: Any = None, result: Any = None, outcome: Outcome = "ok") -> Call:
    """Return a call."""
    return Call(0, f, value, result, outcome, 0, None if outcome == "info" else 1)


@pytest.mark.parametrize(
    ("model", "made", "before", "after"),
    [
        (Mutex(), call("acquire"), False, True),
        (Mutex(), call("acquire"), True, NO),
        (Mutex(), call("release"), True, False),
        (Mutex(), call("release"), False, NO),
        (Mutex(), call("acquire", outcome="fail"), True, True),
        (Mutex(), call("acquire", outcome="fail"), False, NO),
        (Mutex(), call("release", outcome="fail"), False, False),
        (FifoQueue(), call("enqueue", 2), (1,), (1, 2)),
        (FifoQueue(), call("dequeue", result=1), (1, 2), (2,)),
        (FifoQueue(), call("dequeue", result=2), (1, 2), NO),
        (FifoQueue(), call("dequeue", result=1), (), NO),
        (FifoQueue(), call("dequeue"), (), ()),
        (FifoQueue(), call("dequeue"), (1,), NO),
        (FifoQueue(), call("dequeue", outcome="info"), (1,), ()),
        (FifoQueue(), call("dequeue", outcome="info"), (), NO),
        (UnorderedQueue(), call("enqueue", 1), frozenset({(1, 1)}), frozenset({(1, 2)})),
        (UnorderedQueue(), call("dequeue", result=1), frozenset({(1, 1)}), frozenset()),
        (UnorderedQueue(), call("dequeue", result=2), frozenset({(1, 1)}), NO),
        (UnorderedQueue(), call("dequeue"), frozenset(), frozenset()),
        (GrowOnlySet(), call("add", 1), frozenset(), frozenset({1})),
        (GrowOnlySet(), call("read", result=(1,)), frozenset({1}), frozenset({1})),
        (GrowOnlySet(), call("read", result=()), frozenset({1}), NO),
        (GrowOnlySet(), call("read", outcome="info"), frozenset({1}), frozenset({1})),
        (Counter(), call("add", -2), 5, 3),
        (Counter(), call("dec", 2), 5, 3),
        (Counter(), call("inc"), 5, 6),
        (Counter(), call("read", result=5), 5, 5),
        (Counter(), call("read", result=5), 4, NO),
        (Counter(), call("read", outcome="info"), 4, 4),
        (BANK, call("transfer", MOVE), (5, 0), (2, 3)),
        (BANK, call("transfer", MOVE), (2, 3), NO),
        (BANK, call("transfer", MOVE, outcome="fail"), (2, 3), (2, 3)),
        (BANK, call("transfer", MOVE, outcome="fail"), (5, 0), NO),
        (BANK, call("read", result={"1": 0, "a": 5}), (5, 0), (5, 0)),
        (BANK, call("read", result={"1": 0}), (5, 0), NO),
        (BANK, call("read", outcome="info"), (5, 0), (5, 0)),
        (Bank(balances={"a": 0, 1: 0}, negative=True), call("transfer", MOVE), (0, 0), (-3, 3)),
    ],
)
def test_a_call_leads_to_a_state(model: Model, made: Call, before: Any, after: Any) -> None:
    """Or to none when its answer does not fit."""
    reached = model.action(made)(before)
    assert reached is NO if after is NO else reached == after
    if model.pure(made):
        assert reached in {before, NO}


def test_a_bank_begins_with_its_balances() -> None:
    """In their order."""
    assert BANK.initial == (5, 0)


@pytest.mark.parametrize(
    ("model", "made"),
    [
        (Mutex(), call("read")),
        (FifoQueue(), call("peek")),
        (UnorderedQueue(), call("peek")),
        (UnorderedQueue(), call("dequeue", outcome="info")),
        (GrowOnlySet(), call("remove", 1)),
        (GrowOnlySet(), call("read", result=3)),
        (Counter(), call("write", 1)),
        (Counter(), call("add", "x")),
        (BANK, call("deposit")),
        (BANK, call("transfer", {"from": "a", "to": "z", "amount": 1})),
        (BANK, call("transfer", {"from": "a", "to": "1", "amount": "x"})),
        (BANK, call("read", result=(1, 2))),
    ],
)
def test_a_call_that_a_model_does_not_have_is_refused(model: Model, made: Call) -> None:
    """The message tells the operation and what there is."""
    with pytest.raises(ModelError, match=r"operation 0: .* it has "):
        model.action(made)
