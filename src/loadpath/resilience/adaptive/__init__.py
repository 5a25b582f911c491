"""Adaptive limit: how many at once, learned in `limits`, enforced in `shell`."""
