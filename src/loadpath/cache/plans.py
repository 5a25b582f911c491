"""What to warm: the popular keys of each kind, and the next keys of those who are active.

Guide: chapter 5, `warmupPopularData` and `predictiveWarmup`, with its counts and ttls.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.options import EntryOptions
from loadpath.cache.popular import PopularKeys
from loadpath.cache.successions import Successions
from loadpath.cache.warm import WarmReport, warm

Load = Callable[[str], Awaitable[Any]]
StopWhen = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPlan:
    """Say how many keys of one kind are warmed, and for how long.

    Attributes:
        kind: Beginning of the keys, before `:`.
        count: Most keys; None for all that are known.
        ttl: How long they are fresh in the shared layer (s).
    """

    kind: str
    count: int | None
    ttl: float


GUIDE_PLANS = (
    WarmPlan(kind="user", count=100, ttl=3_600.0),
    WarmPlan(kind="product", count=200, ttl=1_800.0),
    WarmPlan(kind="category", count=None, ttl=7_200.0),
)
"""The guide's: 100 users for an hour, 200 products for half of one, all categories for two."""

ACTIVE_USERS = 1_000
"""Users for whom the guide predicts each hour."""


async def warm_popular(
    cache: MultiLayerCache,
    popular: PopularKeys,
    load: Load,
    *,
    plans: Iterable[WarmPlan] = GUIDE_PLANS,
    concurrency: int = 8,
    on_progress: Callable[[WarmReport], None] | None = None,
    stop_when: StopWhen | None = None,
) -> dict[str, WarmReport]:
    """Warm the keys that were asked for most, kind by kind, and return how far each came.

    Args:
        cache: The cache.
        popular: Which keys were asked for.
        load: Loads the value of a key; a `RejectedError` from it ends everything.
        plans: How many of which kind.
        concurrency: Most keys loaded at the same time.
        on_progress: Hears the report of the present kind after each key.
        stop_when: Asked before each key; True ends everything.
    """
    reports: dict[str, WarmReport] = {}
    for plan in plans:
        report = reports[plan.kind] = await warm(
            cache,
            popular.top(plan.count, prefix=f"{plan.kind}:"),
            load,
            options=_kept_for(cache.options, plan.ttl),
            concurrency=concurrency,
            on_progress=on_progress,
            stop_when=stop_when,
        )
        if report.stopped:
            break
    return reports


async def warm_predicted(
    cache: MultiLayerCache,
    successions: Successions,
    load: Load,
    *,
    users: int = ACTIVE_USERS,
    each: int = 5,
    options: EntryOptions | None = None,
    concurrency: int = 8,
    on_progress: Callable[[WarmReport], None] | None = None,
    stop_when: StopWhen | None = None,
) -> WarmReport:
    """Warm what the users who came last will most likely ask for next.

    Args:
        cache: The cache.
        successions: What follows what.
        load: Loads the value of a key; a `RejectedError` from it ends the warm-up.
        users: Most users.
        each: Most keys of each.
        options: How the values are kept.
        concurrency: Most keys loaded at the same time.
        on_progress: Hears the report after each key.
        stop_when: Asked before each key; True ends the warm-up.
    """
    active = successions.active(users)
    return await warm(
        cache,
        [key for user in active for key in successions.predict(user, each)],
        load,
        options=options,
        concurrency=concurrency,
        on_progress=on_progress,
        stop_when=stop_when,
    )


def _kept_for(options: EntryOptions, ttl: float) -> EntryOptions:
    return replace(options, l2_ttl=ttl, l1_ttl=min(options.l1_ttl, ttl))
