"""Sets of elements that clients add and read: what was asked, and what was seen.

An element that was added on `[key value]` is the pair of both.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from loadpath.caplab.history.calls import Call, calls_of, is_keyed, is_pair
from loadpath.caplab.history.history import History
from loadpath.caplab.models.model import unknown

ADDS: Final = frozenset({"add", "append", "post", "write", "insert", "broadcast"})
READS: Final = frozenset({"read", "r", "final-read"})


def adds_and_reads(name: str, history: History) -> tuple[list[Call], list[Call]]:
    """Return the adds, failed ones included, and the reads that were answered.

    Raises:
        ModelError: A call is neither.
    """
    calls = calls_of(history, fails="absent", failed=True)
    for call in calls:
        if call.f not in ADDS | READS:
            raise unknown(name, call, "add and read")
    adds = [call for call in calls if call.f in ADDS]
    reads = [call for call in calls if call.f in READS and call.outcome == "ok"]
    if is_keyed(calls) and all(is_pair(call.result) for call in reads):
        reads = [call._replace(result=_with_key(name, call)) for call in reads]
    return adds, reads


def _with_key(name: str, call: Call) -> tuple[Any, ...]:
    key, seen = call.result
    return tuple((key, each) for each in collection(name, call._replace(result=seen)))


def collection(name: str, call: Call) -> tuple[Any, ...]:
    """Return the elements that a read saw, in its order.

    Raises:
        ModelError: It answered no collection.
    """
    if call.result is None:
        return ()
    if not isinstance(call.result, Iterable) or isinstance(call.result, str | Mapping):
        raise unknown(name, call, "reads that answer a collection")
    return tuple(call.result)
