"""Whether and when to repeat, as a pure decision."""

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.resilience import GiveUp, RetryPolicy
from loadpath.resilience.retry.policy import asked_wait, is_safe

PLAIN = RetryPolicy(tries=4, backoff=Backoff(base=0.1, cap=1.0, jitter="none"))


def decide(
    policy: RetryPolicy = PLAIN,
    tried: int = 1,
    *,
    safe: bool = True,
    retry_after: float | None = None,
    remaining: float = inf,
) -> float | GiveUp:
    """Ask a policy, with chance that repeats."""
    return policy.next_wait(
        tried, safe=safe, retry_after=retry_after, remaining=remaining, random=Random(1)
    )


def test_waits_grow_until_the_tries_are_used_up() -> None:
    """Four tries are three repetitions."""
    assert [decide(tried=n) for n in range(1, 5)] == [0.1, 0.2, 0.4, GiveUp.TRIES]


@given(
    tried=st.integers(1, 3),
    retry_after=st.none() | st.floats(0, 20),
    remaining=st.floats(0, 20),
    seed=st.integers(),
)
def test_no_wait_is_too_short_or_too_long(
    tried: int, retry_after: float | None, remaining: float, seed: int
) -> None:
    """A wait ends after what the server asked for and before the deadline, or there is none."""
    wait = RetryPolicy(tries=4).next_wait(
        tried, safe=True, retry_after=retry_after, remaining=remaining, random=Random(seed)
    )
    if isinstance(wait, GiveUp):
        assert wait in {GiveUp.DEADLINE, GiveUp.RETRY_AFTER}
        return
    assert (retry_after or 0.0) <= wait < remaining
    assert wait <= 10.0 + 30.0


@pytest.mark.parametrize(("asked", "expected"), [(2.0, 2.1), (10.0, 10.1), (10.1, "retry_after")])
def test_the_server_is_believed_up_to_a_bound(asked: float, expected: object) -> None:
    """Past the bound the call is given up; it is never repeated before the server wants it."""
    assert decide(retry_after=asked) == pytest.approx(expected)


def test_nothing_is_slept_past_the_deadline() -> None:
    """A repetition that would begin at or after the deadline is useless."""
    assert decide(remaining=0.11) == 0.1
    assert decide(remaining=0.1) is GiveUp.DEADLINE
    assert decide(remaining=0.0) is GiveUp.DEADLINE


def test_what_is_unsafe_is_never_repeated() -> None:
    """Not even when there is time."""
    assert decide(safe=False) is GiveUp.UNSAFE


@pytest.mark.parametrize(
    ("error", "safe"),
    [(RejectedError("full"), True), (InDoubtError("?"), False), (OSError(), False), (None, False)],
    ids=repr,
)
def test_only_what_was_not_tried_is_safe_by_itself(error: Exception | None, safe: bool) -> None:  # noqa: FBT001 - a table's column
    """Everything else needs its owner's word."""
    assert is_safe(error, idempotent=False) is safe
    assert is_safe(error, idempotent=True)


def test_a_wait_is_read_from_errors_and_results() -> None:
    """From our own rejections, and from whatever else has a usable `retry_after`."""

    class Response:
        retry_after: object = 3

    assert asked_wait(RejectedError("busy", retry_after=2.0)) == 2.0
    assert asked_wait(Response()) == 3.0
    assert asked_wait(OSError()) is None
    for useless in (-1, "soon", None, float("nan")):
        Response.retry_after = useless
        assert asked_wait(Response()) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tries": 0}, "tries must be at least 1"),
        ({"longest_retry_after": -1.0}, "longest_retry_after must be at least 0"),
        ({"longest_retry_after": inf}, "longest_retry_after must be at least 0 s and finite"),
    ],
)
def test_a_policy_without_meaning_is_refused(given: dict[str, float], message: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=message):
        RetryPolicy(**given)  # type: ignore[arg-type] # drawn from the table
