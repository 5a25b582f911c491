"""From settings to what serves them; a reload makes a new generation beside the old one.

All that can fail happens before anything is replaced. Upstreams whose settings did not change are
taken over with balancer, breakers and connections; where only endpoints changed, the new set is
swapped in. An upstream that is no longer named ends when its last request has.
"""

import asyncio
from collections.abc import Mapping
from random import Random

import msgspec

from loadpath.gateway.filters.building import FilterParts
from loadpath.gateway.filters.static import StaticHandler
from loadpath.gateway.passing.clients import TrustedProxies
from loadpath.gateway.routing.table import RouteTable
from loadpath.gateway.serving.certificates import Chosen
from loadpath.gateway.serving.connection import Terms
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.gateway.serving.plane import Generation
from loadpath.gateway.serving.routes import LiveRoute
from loadpath.gateway.serving.services import Service
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.upstreams import UpstreamSettings
from loadpath.http import Limits

LOOK_EVERY = 0.05
"""How often an upstream that is no longer named is looked at (s)."""


class Prepared(msgspec.Struct, kw_only=True):
    """Hold a generation that could serve.

    Attributes:
        settings: What it was made of.
        live: What serves.
        fresh: Its upstreams that the old generation does not have.
        followed: Upstreams that are kept and get other endpoints.
        chosen: Certificates of each listener, None for plain HTTP.
    """

    settings: GatewaySettings
    live: Generation
    fresh: list[Service]
    followed: list[tuple[Service, UpstreamSettings]]
    chosen: list[Chosen | None]


class Generations:
    """Make generations, and let old ones end.

    Args:
        checked: Whether upstreams check their endpoints themselves; else somebody tells them.
        random: Where chance comes from.

    Attributes:
        figures: Counts of every route that there was, by name.
    """

    def __init__(self, *, checked: bool, random: Random | None = None) -> None:
        self._checked = checked
        self.figures: dict[str, RouteFigures] = {}
        self._random = random or Random()  # noqa: S311 - draws mirrors, keeps no secret
        self._parts = FilterParts()
        self._settings = GatewaySettings()
        self._ending: set[asyncio.Task[None]] = set()

    async def prepare(self, settings: GatewaySettings, old: Generation | None) -> Prepared:
        """Make what settings say, beside what serves now.

        Raises:
            LoadpathError: It cannot be made; nothing is left of it.
            OSError: A file cannot be read.
        """
        chosen = [Chosen(each.tls) if each.tls else None for each in settings.listeners]
        prepared = Prepared(settings=settings, live=_NOTHING, fresh=[], followed=[], chosen=chosen)
        try:
            await self._parts.prepare(settings)
            services = await self._services(settings, old, prepared)
            prepared.live = self._generation(settings, services)
        except BaseException:
            await self.discard(prepared)
            raise
        if old is None:
            self._settings = settings
        return prepared

    def commit(self, prepared: Prepared, old: Generation | None) -> None:
        """Let the old generation end; whoever calls serves the new one."""
        for service, settings in prepared.followed:
            service.follow(settings)
        before, self._settings = self._settings, prepared.settings
        if old is None:
            return
        kept = set(map(id, prepared.live.services.values()))
        gone = [each for each in old.services.values() if id(each) not in kept]
        patience = prepared.settings.timeouts.drain
        task = asyncio.create_task(self._retire(old, gone, patience, before))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def discard(self, prepared: Prepared) -> None:
        """Leave nothing of a generation that does not serve."""
        for service in prepared.fresh:
            await service.stop()
        await self._parts.release(prepared.settings)

    async def close(self, live: Generation) -> None:
        """End everything."""
        for task in list(self._ending):
            task.cancel()
        if self._ending:
            await asyncio.wait(self._ending)
        await _stop_mirrors(live)
        for service in live.services.values():
            await service.stop()
        await self._parts.aclose()

    async def _retire(
        self, old: Generation, gone: list[Service], patience: float, settings: GatewaySettings
    ) -> None:
        await _end(old, gone, patience)
        await self._parts.release(settings)

    async def _services(
        self, settings: GatewaySettings, old: Generation | None, prepared: Prepared
    ) -> dict[str, Service]:
        services: dict[str, Service] = {}
        for name, each in settings.upstreams.items():
            service = None if old is None else old.services.get(name)
            if service is not None and service.settings == each:
                services[name] = service
            elif service is not None and service.can_follow(each):
                services[name] = service
                prepared.followed.append((service, each))
            else:
                fresh = services[name] = Service(name, each, checked=self._checked)
                prepared.fresh.append(fresh)
                await fresh.start()
        return services

    def _generation(self, settings: GatewaySettings, services: Mapping[str, Service]) -> Generation:
        routes = tuple(
            LiveRoute(
                each,
                services,
                filters=self._parts.filters_of(each, settings),
                answerer=StaticHandler(each.match, each.static).answer if each.static else None,
                figures=self.figures.setdefault(each.name, RouteFigures()),
                random=self._random,
                most=settings.limits.body,
            )
            for each in settings.routes
        )
        return Generation(
            table=RouteTable((live.route.match, live) for live in routes),
            trusted=TrustedProxies(settings.trusted_proxies),
            routes=routes,
            services=dict(services),
            tunnel=settings.timeouts.tunnel,
        )


def terms_of(settings: GatewaySettings) -> Terms:
    """Return what client connections obey."""
    limits = settings.limits
    return Terms(
        timeouts=settings.timeouts,
        limits=Limits(start_line=limits.request_line, head=limits.head, fields=limits.fields),
        body=limits.body,
    )


async def _end(old: Generation, gone: list[Service], patience: float) -> None:
    """End upstreams when their last request has, or patience is over."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    try:
        while any(each.calls for each in gone) and loop.time() < give_up:  # noqa: ASYNC110 - counted, not told, on the hot path
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await _stop_mirrors(old)
        for each in gone:
            await each.stop()


async def _stop_mirrors(live: Generation) -> None:
    for route in live.routes:
        if route.mirror is not None:
            await route.mirror.stop()


_NOTHING = Generation(
    table=RouteTable(()), trusted=TrustedProxies(()), routes=(), services={}, tunnel=1.0
)
