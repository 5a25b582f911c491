"""The shortest counter-example is a proof: impossible whatever the other calls did."""

import pytest

from loadpath.caplab.checkers import Budget
from loadpath.caplab.checkers.counterexample import shortest
from loadpath.caplab.checkers.plan import plan
from loadpath.caplab.checkers.search import Search
from loadpath.caplab.history import Call, calls_of
from loadpath.caplab.models import CasRegister, Register
from tests.unit.caplab.histories import RegisterStore, edn


def possible(kept: list[Call], loose: list[Call]) -> bool:
    """Whether an order explains the kept calls, the others at any time or never."""
    search = Search(plan(kept, CasRegister(), loose=loose))
    search.run(1_000_000)
    assert search.found is not None
    return search.found


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_it_is_impossible_and_nothing_of_it_can_go(seed: int) -> None:
    """Without any one of its calls there is an order."""
    calls = calls_of(RegisterStore(seed, processes=2, stale=0.6).run(60))
    assert not possible([call for call in calls if call.end is not None], _open(calls))
    kept = shortest(calls, CasRegister())
    others = [call for call in calls if call not in kept]
    assert not possible(kept, others)
    for call in kept:
        assert possible([each for each in kept if each is not call], [*others, call])


def _open(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.end is None]


def test_a_budget_that_is_over_leaves_it_long() -> None:
    """It is still a counter-example."""
    calls = calls_of(edn("0 invoke write 1\n0 ok write 1\n0 invoke read nil\n0 ok read 7"))
    over = Budget(deadline=0.0, clock=lambda: 1.0)
    assert shortest(calls, Register(), over) == calls
    assert len(shortest(calls, Register())) == 1
