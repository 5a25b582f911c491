"""Verdicts on histories."""
