"""How many replicas, and how many must agree."""

import pytest

from loadpath.local import postgres_cluster
from loadpath.local.replication import _checked_names, _quorum


@pytest.mark.parametrize(("replicas", "synchronous"), [(0, 0), (-1, 0), (25, 0), (2, 3), (2, -1)])
async def test_impossible_numbers_are_refused(replicas: int, synchronous: int) -> None:
    """A quorum larger than the replicas would block every commit for ever."""
    with pytest.raises(ValueError, match=r"(replicas|synchronous) must be"):
        await postgres_cluster(replicas=replicas, synchronous=synchronous).__aenter__()


def test_any_k_replicas_acknowledge() -> None:
    """The quorum names every replica and how many are enough; none means asynchronous."""
    names = _checked_names(2, 1)
    assert _quorum(names, 1) == "ANY 1 (replica_1, replica_2)"
    assert _quorum(names, 0) == ""
