"""Which route takes a request, and what its upstream is asked. Pure."""
