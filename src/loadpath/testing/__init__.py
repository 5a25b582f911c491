"""The public test kit for tests of your own: a clock that stands still, a link that can be cut."""

from loadpath.testing.clock import FakeClock
from loadpath.testing.link import Link
from loadpath.testing.pacing import CALM, Conditions, Step, random_steps

__all__ = ["CALM", "Conditions", "FakeClock", "Link", "Step", "random_steps"]
