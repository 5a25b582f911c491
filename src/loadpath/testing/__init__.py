"""The public test kit: time that stands still until told, for tests of your own."""

from loadpath.testing.clock import FakeClock

__all__ = ["FakeClock"]
