"""Bulkhead: places and queue in `places`, the waiting in `shell`."""
