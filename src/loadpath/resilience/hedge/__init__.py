"""Hedge: when to send a second call in `delay`, the race in `shell`."""
