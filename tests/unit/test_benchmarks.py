"""The benchmark runner tells ratios and missed goals the right way round."""

import pytest

from benchmarks.__main__ import line
from benchmarks.result import Result


def test_ratio_says_how_many_times_better() -> None:
    """Half the time and twice the rate are both a ratio of two."""
    faster = Result(name="t", ours=1, unit="s", better="lower", goal=2, peer_name="p", peer=2)
    more = Result(name="r", ours=2, unit="1/s", better="higher", goal=2, peer_name="p", peer=1)
    assert faster.ratio == more.ratio == pytest.approx(2)
    assert faster.met
    assert more.met


def test_a_missed_ratio_is_not_met() -> None:
    """A goal on the ratio needs a peer and a ratio that reaches it."""
    slower = Result(name="t", ours=3, unit="s", better="lower", goal=1, peer_name="p", peer=2)
    alone = Result(name="t", ours=3, unit="s", better="lower", goal=1)
    assert not slower.met
    assert not alone.met


@pytest.mark.parametrize(
    ("better", "ours", "met"), [("lower", 4.0, True), ("lower", 6.0, False), ("higher", 6.0, True)]
)
def test_a_goal_on_ours_needs_no_peer(better: str, ours: float, met: bool) -> None:  # noqa: FBT001  (a table's column)
    """A figure without a peer carries its goal on itself."""
    figure = Result(name="x", ours=ours, unit="s", better=better, goal=5, goal_on="ours")  # type: ignore[arg-type]  (the table holds plain text)
    assert figure.met is met


def test_a_person_reads_the_miss_first() -> None:
    """The printed line begins with the verdict and names the peer."""
    missed = Result(name="t", ours=3, unit="s", better="lower", goal=1, peer_name="p", peer=2)
    assert line(missed.as_json()).startswith("MISS t: 3 s, 0.67 x p")
