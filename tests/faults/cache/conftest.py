"""Servers that a test may break, reached through links that it may hold or cut."""

from tests.faults.resp.conftest import link, server

__all__ = ["link", "server"]
