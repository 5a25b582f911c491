"""A balancer whose endpoints are checked: the guide's health-check router, with its defaults.

Active checks and real traffic both decide, and independently: an endpoint serves when its checks
pass *and* its calls succeed. The guide's 30 s "open" is how long real traffic ejects an endpoint
the first time (`OutlierRules.base_ejection`).

Guide: chapter 3, `HealthCheckLoadBalancer`.
"""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from loadpath.balance.balancer import Balancer
from loadpath.balance.checker import ActiveChecker
from loadpath.balance.endpoint import Endpoint
from loadpath.balance.probes import Probe


class HealthRouter:
    """Pick among endpoints that are checked while the block runs.

    Args:
        endpoints: A balancer, or the endpoints of one with default settings.
        probe: How to check an endpoint; None asks `GET /health` over HTTP.
        interval: From one check of an endpoint to the next (s).
        timeout: Longest that a check may take (s).

    Attributes:
        balancer: The balancer.
        pick: `Balancer.pick`.
        swap: `Balancer.swap`.
        set_server_health: `Balancer.set_server_health`.
        get_server_stats: `Balancer.get_server_stats`.
        snapshot: `Balancer.snapshot`.
    """

    def __init__(
        self,
        endpoints: Balancer | Iterable[Endpoint | str],
        *,
        probe: Probe | None = None,
        interval: float = 10.0,
        timeout: float = 5.0,
    ) -> None:
        balancer = endpoints if isinstance(endpoints, Balancer) else Balancer(endpoints)
        self._checker = ActiveChecker(balancer, probe, interval=interval, timeout=timeout)
        self.balancer = balancer
        self.pick = balancer.pick
        self.swap = balancer.swap
        self.set_server_health = balancer.set_server_health
        self.get_server_stats = balancer.get_server_stats
        self.snapshot = balancer.snapshot

    async def __aenter__(self) -> Self:
        await self._checker.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._checker.__aexit__(kind, error, trace)
