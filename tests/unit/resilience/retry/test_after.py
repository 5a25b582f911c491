"""`Retry-After` in both of its forms, and whatever else servers send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import parse_retry_after

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110."""


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30.0),
        ("Sun Nov  6 08:50:07 1994", 30.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 40, None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_seconds_and_dates(value: str, wait: float | None) -> None:
    """RFC 9110's three forms of a date; a date that has passed asks for no wait."""
    assert parse_retry_after(value, NOW) == wait


@given(value=st.text(max_size=40))
def test_no_text_breaks_it(value: str) -> None:
    """Whatever a server sends, it is a wait or nothing."""
    wait = parse_retry_after(value, NOW)
    assert wait is None or wait >= 0
