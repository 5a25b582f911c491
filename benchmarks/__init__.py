"""Ours against the peer a user would pick instead, in one run: `python -m benchmarks ROOM`."""
