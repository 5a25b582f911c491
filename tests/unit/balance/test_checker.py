"""A checker is checked when it is made (what it does: tests/faults/balance)."""

import pytest

from loadpath.balance import ActiveChecker, Balancer, HttpProbe


def test_the_guides_defaults() -> None:
    """`/health` every 10 s, 5 s at most, three failures, two recoveries."""
    balancer = Balancer(["a:80"])
    checker = ActiveChecker(balancer)
    assert checker._probe == HttpProbe(path="/health")
    assert (checker._interval, checker._timeout) == (10.0, 5.0)
    assert (balancer._health.fall, balancer._health.rise) == (3, 2)
    assert checker.running == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", 0.0),
        ("timeout", 0.0),
        ("timeout", float("inf")),
        ("jitter", 1.5),
        ("concurrency", 0),
    ],
)
def test_settings_without_meaning_are_refused(field: str, value: float) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=field):
        ActiveChecker(Balancer(), **{field: value})  # type: ignore[arg-type] # by name
