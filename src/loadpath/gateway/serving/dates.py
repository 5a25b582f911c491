"""The `Date` of answers that bring none, made once a second.

Source: RFC 9110 section 6.6.1.
"""

from email.utils import formatdate
from time import time

from loadpath.gateway.exchange import Field


class Dates:
    """Give the field of this second."""

    __slots__ = ("_field", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._field: Field = (b"Date", b"")

    def field(self) -> Field:
        """Return the field."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._field = (b"Date", formatdate(second, usegmt=True).encode())
        return self._field


DATES = Dates()
"""One is enough for a process."""
