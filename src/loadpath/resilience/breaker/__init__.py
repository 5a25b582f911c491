"""Circuit breaker: the decision in `machine`, calls and permits in `shell`."""
