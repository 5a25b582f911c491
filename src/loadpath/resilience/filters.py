"""Which errors a pattern means: classes, or a function that looks at the error."""

from collections.abc import Callable

ErrorTest = Callable[[BaseException], bool]
ErrorFilter = type[BaseException] | tuple[type[BaseException], ...] | ErrorTest
"""A class, a tuple of classes, or a function that returns whether it means an error."""


def error_test(meant: ErrorFilter, field: str) -> ErrorTest:
    """Return the function that tells whether an error is meant.

    Args:
        meant: The filter as it was given; `()` means no error.
        field: What to call it in an error.

    Raises:
        TypeError: It is no filter.
    """
    if isinstance(meant, tuple | type):
        classes = meant if isinstance(meant, tuple) else (meant,)
        if all(map(_is_error_class, classes)):
            return lambda error: isinstance(error, classes)
    elif callable(meant):
        return meant
    raise TypeError(
        f"{field} must be an exception class, a tuple of them, or a function of the error, "
        f"not {meant!r}"
    )


def _is_error_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, BaseException)
