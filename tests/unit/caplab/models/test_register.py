"""Registers do what registers do."""

from typing import Any

import pytest

from loadpath.caplab.history import Call
from loadpath.caplab.history.calls import Outcome
from loadpath.caplab.models import (
    NO,
    CasRegister,
    KeyValue,
    Model,
    ModelError,
    MultiRegister,
    Register,
)


def call(f: str, value: Any = None, result: Any = None, outcome: Outcome = "ok") -> Call:
    """Return a call."""
    return Call(0, f, value, result, outcome, 0, None if outcome == "info" else 1)


@pytest.mark.parametrize(
    ("model", "made", "before", "after"),
    [
        (Register(), call("read", result=1), 1, 1),
        (Register(), call("read", result=1), 2, NO),
        (Register(), call("read", result=None), None, None),
        (Register(), call("read", result=None), 1, NO),
        (Register(), call("read", outcome="info"), 1, 1),
        (Register(), call("write", 2), 1, 2),
        (CasRegister(), call("write", 2), 1, 2),
        (CasRegister(), call("cas", (1, 2)), 1, 2),
        (CasRegister(), call("cas", (1, 2)), 3, NO),
        (CasRegister(), call("cas", (1, 2), outcome="fail"), 3, 3),
        (CasRegister(), call("cas", (1, 2), outcome="fail"), 1, NO),
        (KeyValue(), call("get", result=""), None, None),
        (KeyValue(), call("get", result="a"), "a", "a"),
        (KeyValue(), call("get", result="a"), None, NO),
        (KeyValue(), call("get", outcome="info"), "a", "a"),
        (KeyValue(), call("append", "b"), "a", "ab"),
        (KeyValue(), call("append", "b"), None, "b"),
        (KeyValue(), call("put", "b"), "a", "b"),
        (KeyValue(), call("delete"), "a", None),
        (KeyValue(), call("cas", ("a", "b")), "a", "b"),
    ],
)
def test_a_call_leads_to_a_state(model: Model, made: Call, before: Any, after: Any) -> None:
    """Or to none when its answer does not fit."""
    reached = model.action(made)(before)
    assert reached is NO if after is NO else reached == after
    if model.pure(made):
        assert reached in {before, NO}


def test_several_registers_change_at_once() -> None:
    """A read in a transaction sees what the transaction wrote; nil reads nothing in particular."""
    model = MultiRegister(values={"x": 0})
    parts = (("read", "x", 0), ("write", "x", 1), ("read", "x", 1), ("read", "y", None))
    after = model.action(call("txn", parts, parts))(model.initial)
    assert after == frozenset({("x", 1)})
    assert model.action(call("txn", parts, parts))(after) is NO
    assert model.pure(call("txn", parts[:1], parts[:1]))
    assert not model.pure(call("txn", parts, parts))


@pytest.mark.parametrize(
    ("model", "made", "says"),
    [
        (Register(), call("cas", (1, 2)), "cas-register"),
        (CasRegister(), call("cas", 1), r"cas \[old new\]"),
        (KeyValue(), call("increment", 1), "get, put, append"),
        (MultiRegister(), call("txn", 1), "transactions of"),
        (MultiRegister(), call("txn", (("append", 1, 2),)), "transactions of"),
    ],
)
def test_a_call_that_a_model_does_not_have_is_refused(model: Model, made: Call, says: str) -> None:
    """The message tells what it has."""
    with pytest.raises(ModelError, match=says):
        model.action(made)
