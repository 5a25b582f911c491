"""What takes part in the requests of a route: who may, how often, what becomes of answers."""
