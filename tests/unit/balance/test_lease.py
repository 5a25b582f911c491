"""A pick is finished exactly once, whatever happens to its call."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import CancelledError

import pytest

from loadpath.balance import Failure, Member, Pick
from loadpath.core.errors import RejectedError
from tests.unit.balance.members import endpoint


class Heard:
    """Hear outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, float | None]] = []

    def succeeded(self, member: Member, latency: float | None, started: float) -> None:
        """Hear of a success."""
        assert (member.active, started) == (0, 7.0)
        self.outcomes.append(("success", latency))

    def failed(
        self, member: Member, failure: Failure, latency: float | None, started: float
    ) -> None:
        """Hear of a failure."""
        assert (member.active, started) == (0, 7.0)
        self.outcomes.append((failure, latency))


def picked() -> tuple[Pick, Member, Heard]:
    """Return a pick of a member, and who hears of it."""
    member, heard = Member(endpoint("a")), Heard()
    return Pick(member, heard, 7.0), member, heard


FINISHES: list[tuple[Callable[[Pick], None], list[tuple[str, float | None]]]] = [
    (lambda pick: pick.success(latency=0.5), [("success", 0.5)]),
    (lambda pick: pick.failure("local"), [("local", None)]),
    (lambda pick: pick.cancel(), []),
    (lambda pick: pick.answered(200), [("success", None)]),
    (lambda pick: pick.answered(404), [("success", None)]),
    (lambda pick: pick.answered(500), [("error", None)]),
    (lambda pick: pick.answered(503, latency=0.1), [("gateway", 0.1)]),
]


@pytest.mark.parametrize(("finish", "outcomes"), FINISHES)
def test_it_is_in_flight_until_it_is_finished_once(
    finish: Callable[[Pick], None], outcomes: list[tuple[str, float | None]]
) -> None:
    """Whatever is called after the first, nothing happens any more."""
    pick, member, heard = picked()
    assert (member.active, member.tally.active, pick.finished) == (1, 1, False)
    assert pick.endpoint.host == "a"
    finish(pick)
    for again, _ in FINISHES:
        again(pick)
    assert (member.active, member.tally.active, pick.finished) == (0, 0, True)
    assert heard.outcomes == outcomes


@pytest.mark.parametrize(
    ("error", "outcomes"),
    [
        (ConnectionRefusedError("no"), [("local", None)]),
        (TimeoutError(), [("local", None)]),
        (asyncio.IncompleteReadError(b"", 1), [("local", None)]),
        (ValueError("garbage"), [("error", None)]),
        (asyncio.CancelledError(), []),
        (CancelledError(), [("error", None)]),
        (KeyboardInterrupt(), []),
        (RejectedError("the pool is full"), []),
    ],
)
def test_a_block_finishes_by_how_it_ends(
    error: BaseException, outcomes: list[tuple[str, float | None]]
) -> None:
    """Given up and not tried say nothing about the endpoint; the error goes on."""
    pick, member, heard = picked()
    with pytest.raises(type(error)), pick:
        raise error
    assert (member.active, heard.outcomes) == (0, outcomes)


def test_a_block_that_ends_well_is_a_success() -> None:
    """Unless it was finished inside."""
    pick, _, heard = picked()
    with pick:
        pass
    assert heard.outcomes == [("success", None)]
    pick, _, heard = picked()
    with pick:
        pick.answered(502)
    assert heard.outcomes == [("gateway", None)]


def test_a_forgotten_pick_is_cancelled() -> None:
    """Collected, it gives its place back, and says nothing about the endpoint."""
    pick, member, heard = picked()
    del pick
    gc.collect()
    assert (member.active, member.tally.active, heard.outcomes) == (0, 0, [])
