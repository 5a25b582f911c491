"""Loadpath: the patterns that let a system scale, in the order a request travels."""

__version__ = "0.1.0"
