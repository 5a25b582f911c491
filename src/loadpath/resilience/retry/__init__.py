"""Retry: the decision in `policy`, `Retry-After` in `after`, the repeating in `shell`."""
