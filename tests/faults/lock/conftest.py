"""Servers that a test may break, and a link that holds what passes."""

from tests.faults.resp.conftest import link, server

__all__ = ["link", "server"]
