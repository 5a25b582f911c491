"""Load for the timeline system: a graph, arrivals that do not wait for answers, and a report."""
