"""The HTTP API of the timeline system, and its page."""
