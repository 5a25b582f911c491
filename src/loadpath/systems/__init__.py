"""The big systems, composed from the rooms below."""
