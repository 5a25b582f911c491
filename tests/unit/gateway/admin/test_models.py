"""The figures of workers become those of the gateway."""

from loadpath.gateway.admin.models import route_status, routes_of, upstream_status
from loadpath.gateway.orders import WorkerFigures
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.http import PoolSnapshot
from loadpath.upstream import EndpointSnapshot, UpstreamSnapshot
from loadpath.upstream.snapshot import State


def told(
    worker: int, state: State, *, calls: int, latency: float, reason: str = ""
) -> WorkerFigures:
    """Return what one worker tells."""
    endpoint = EndpointSnapshot(
        address="a:1", state=state, breaker="closed", reason=reason, in_flight=1, latency=latency,
        calls=calls, failures=1, weight=1, priority=0, zone="",
    )  # fmt: skip
    upstream = UpstreamSnapshot(
        name="api", generation=1, problem="", calls=calls, attempts=calls, repeated=0, failed=0,
        endpoints=(endpoint,), bulkhead=None, pool=PoolSnapshot(1, 2, 1, 0, 0, 0, 0, 0, 0, 0),
    )  # fmt: skip
    figures = RouteFigures()
    figures.count(503 if reason else 200, 0.5, 10)
    return WorkerFigures(
        number=1, worker=worker, routes={"all": figures}, unrouted=RouteFigures(),
        upstreams={"api": upstream}, connections=1, refused=0, log_dropped=0,
    )  # fmt: skip


def test_the_strongest_reason_is_told_and_numbers_add_up() -> None:
    """Latency is the mean of those who have any."""
    all_told = [
        told(0, "up", calls=2, latency=0.1),
        told(1, "ejected", calls=4, latency=0.3, reason="refused"),
        told(2, "up", calls=0, latency=0.0),
    ]
    status = upstream_status("api", "random", all_told)
    (endpoint,) = status.endpoints
    assert (endpoint.state, endpoint.reason) == ("ejected", "refused")
    assert (endpoint.calls, endpoint.failures, endpoint.in_flight) == (6, 3, 3)
    assert abs(endpoint.latency - 0.2) < 1e-9
    assert (status.connections, status.idle) == (6, 3)
    route = route_status("all", routes_of(all_told)["all"])
    assert (route.requests, route.failed, route.mean) == (3, 1, 0.5)
