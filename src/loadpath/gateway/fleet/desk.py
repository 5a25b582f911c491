"""Active checks, made once for all workers: each endpoint is asked by one process only."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

from loadpath.balance import Balancer, Endpoint, HealthRules
from loadpath.gateway.serving.services import (
    checker_of,
    discovered,
    server_name_of,
    tls_of,
)
from loadpath.gateway.settings.upstreams import UpstreamSettings
from loadpath.upstream import Upstream

Tell = Callable[[str, str, str], None]
"""Hears of a check: upstream, address, and why it failed, empty when it did not."""


class _Telling(Balancer):
    """Tell of every check."""

    def __init__(self, name: str, health: HealthRules, tell: Tell) -> None:
        super().__init__(outliers=None, health=health)
        self._name = name
        self._tell = tell

    def on_check(self, endpoint: Endpoint, reason: str = "") -> None:
        """Learn how a check went, and pass it on."""
        super().on_check(endpoint, reason)
        self._tell(self._name, endpoint.address, reason)


class HealthDesk:
    """Check the endpoints of every upstream that asks for it, as an async context manager.

    Args:
        tell: Hears of every check.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._checked: dict[str, tuple[UpstreamSettings, Upstream, AsyncExitStack]] = {}

    async def follow(self, upstreams: dict[str, UpstreamSettings]) -> None:
        """Check these upstreams from now on; those that did not change go on as they are.

        Raises:
            ResolveError: The endpoints of one cannot be found.
            OSError: A file of it cannot be read.
        """
        wanted = {name: each for name, each in upstreams.items() if each.health is not None}
        for name, (settings, _, _) in list(self._checked.items()):
            if wanted.get(name) != settings:
                await self._drop(name)
        for name, each in wanted.items():
            if name not in self._checked:
                await self._begin(name, each)

    def failed(self) -> Iterator[tuple[str, str, str, int]]:
        """Give the endpoints that are down: upstream, address, reason, checks that decide."""
        for name, (settings, upstream, _) in self._checked.items():
            for each in upstream.balancer.get_server_stats():
                if each.state == "down" and settings.health is not None:
                    reason = each.last_failure or "its checks failed"
                    yield name, each.address, reason, settings.health.fall

    async def close(self) -> None:
        """Stop checking."""
        for name in list(self._checked):
            await self._drop(name)

    async def _begin(self, name: str, settings: UpstreamSettings) -> None:
        assert settings.health is not None
        rules = HealthRules(fall=settings.health.fall, rise=settings.health.rise)
        balancer = _Telling(name, rules, self._tell)
        upstream = Upstream(
            name,
            discovered(settings),
            balancer=balancer,
            checker=checker_of(settings, balancer),
            breaker=None,
            tls=tls_of(settings),
            server_name=server_name_of(settings),
        )
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(upstream)
            self._checked[name] = (settings, upstream, stack.pop_all())

    async def _drop(self, name: str) -> None:
        _, _, stack = self._checked.pop(name)
        await stack.aclose()
