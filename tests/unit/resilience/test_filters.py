"""Classes and functions name errors alike."""

import pytest

from loadpath.resilience.filters import error_test


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (OSError, True),
        (ValueError, False),
        ((ValueError, OSError), True),
        ((), False),
        (lambda error: bool(error.args), False),
    ],
)
def test_an_error_is_meant_or_not(given: object, meant: bool) -> None:  # noqa: FBT001 - a table's column
    """A subclass is meant by its base; nothing is meant by an empty tuple."""
    assert error_test(given, "errors")(ConnectionError()) is meant  # type: ignore[arg-type] # of any kind


@pytest.mark.parametrize("given", ["OSError", None, int, (OSError, "x"), OSError()])
def test_what_is_no_filter_is_refused(given: object) -> None:
    """The error names the argument and shows what was given."""
    with pytest.raises(TypeError, match="errors must be an exception class, a tuple of them"):
        error_test(given, "errors")  # type: ignore[arg-type] # on purpose
