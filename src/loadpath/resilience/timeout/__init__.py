"""Timeout: stop a call in time; what is left travels as a `Deadline`."""
