"""Whether a history is linearizable.

It is when one order of the calls, each between its question and its answer, explains every answer.

Source: Herlihy and Wing, "Linearizability"; Lowe; Knossos; Porcupine.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from loadpath.caplab.checkers.budget import Budget
from loadpath.caplab.checkers.counterexample import shortest
from loadpath.caplab.checkers.plan import plan
from loadpath.caplab.checkers.search import Search
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.checkers.words import told
from loadpath.caplab.history.calls import Call, Fails, Keyed, calls_of, is_keyed, keyed
from loadpath.caplab.history.history import History
from loadpath.caplab.models.model import Model, unknown

ROUND: Final = 2_000
"""States to look at before the next key has its turn; doubled with every turn."""


class _Object(NamedTuple):
    """Hold the calls of one object and the search through them."""

    key: object
    calls: Sequence[Call]
    search: Search


def linearizable(
    history: History,
    model: Model,
    *,
    fails: Fails | None = None,
    budget: Budget | None = None,
    explain: bool = False,
) -> Verdict:
    """Judge a history by a model.

    The keys of a model that has keys, and of a history of `[key value]`, are judged one by one,
    all in turn, so that a wrong one is found however long another takes.

    Args:
        history: What the clients did.
        model: What the object should have done.
        fails: What `fail` means; None takes what the source of the history means by it.
        budget: How long to search.
        explain: Whether an invalid history is reduced to its shortest counter-example.

    Raises:
        ModelError: The model does not know a call.
        HistoryError: The calls cannot be paired.
    """
    calls = calls_of(history, fails=fails)
    limit = budget or Budget()
    objects = [_laid_out(each, model) for each in _objects(calls, model)]
    wrong = _search(objects, limit)
    findings = [] if wrong is None else [_finding(wrong, model, limit, explain=explain)]
    open_ = sum(each.search.found is None for each in objects)
    return judged(
        model.name,
        len(calls),
        findings,
        unknown=f"the budget ended after {limit.taken:,} states; give it more" if open_ else None,
        figures={"states": limit.taken, "keys": len(objects)},
    )


def _objects(calls: Sequence[Call], model: Model) -> Iterable[Keyed]:
    if model.by_key:
        for call in calls:
            if not isinstance(call.value, tuple) or len(call.value) != 2:  # noqa: PLR2004 - a pair
                raise unknown(model.name, call, "calls on a [key value]")
    elif not is_keyed(calls):
        return [Keyed(None, list(calls))]
    return keyed(calls)


def _laid_out(each: Keyed, model: Model) -> _Object:
    return _Object(each.key, each.calls, Search(plan(each.calls, model)))


def _search(objects: Sequence[_Object], budget: Budget) -> _Object | None:
    """Give every object its turn until one is wrong, all are right, or the budget is over."""
    open_, steps = list(objects), ROUND
    while open_:
        for each in open_:
            if not _looked(each.search, steps, budget):
                return each if each.search.found is False else None
        open_ = [each for each in open_ if each.search.found is None]
        steps *= 2
    return None


def _looked(search: Search, steps: int, budget: Budget) -> bool:
    """Search on for up to `steps` states, and return whether the others have their turn."""
    end = budget.taken + steps
    while search.found is None and budget.taken < end:
        if budget.over:
            return False
        left = min(ROUND, end - budget.taken, budget.steps - budget.taken)
        budget.take(search.run(int(left)))
    return search.found is not False


def _finding(wrong: _Object, model: Model, budget: Budget, *, explain: bool) -> Finding:
    places = plan(wrong.calls, model).places
    stuck = places[wrong.search.furthest].call
    answered = {place.call.start for place in places[: wrong.search.furthest + 1]}
    prefix = [call for call in wrong.calls if call.start in answered or call.start < _end(stuck)]
    cut = [call if call.start in answered else _without_answer(call) for call in prefix]
    example = shortest(cut, model, budget) if explain else [stuck]
    where = "" if wrong.key is None else f" of key {wrong.key}"
    lines = "\n".join(f"  {told(call)}" for call in example)
    return Finding(
        name="not-linearizable",
        words=f"no order of the calls{where} explains the answer of {told(stuck)}"
        + (f"; what contradicts itself:\n{lines}" if explain else ""),
        operations=tuple(call.start for call in example),
    )


def _end(call: Call) -> int:
    return call.start if call.end is None else call.end


def _without_answer(call: Call) -> Call:
    """Return a call as it looked before its answer came."""
    return call._replace(outcome="info", result=None, end=None, ended=None)
