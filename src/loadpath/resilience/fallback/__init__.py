"""Fallback: another answer in place of an error."""
