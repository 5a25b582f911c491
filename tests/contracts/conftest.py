"""Named folders of these tests are in memory; durable ones on a disk are asked for by the test."""

from tests.faults.local.conftest import base

__all__ = ["base"]
