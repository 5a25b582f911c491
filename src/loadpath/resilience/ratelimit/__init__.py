"""Rate limit: the decision in `gcra`, its places in `memory` and `redis`, calls in `shell`."""
