"""What is warmed: popular keys of each kind, next keys of active users."""

from loadpath.cache import (
    GUIDE_PLANS,
    MultiLayerCache,
    PopularKeys,
    Successions,
    warm_popular,
    warm_predicted,
)
from loadpath.core.errors import RejectedError


async def load(key: str) -> str:
    """Return the key as its value."""
    return key


def asked(**counts: int) -> PopularKeys:
    """Return keys that were asked for, key `n` of a kind `n` times."""
    popular = PopularKeys()
    for kind, count in counts.items():
        for n in range(count):
            for _ in range(n + 1):
                popular.record(f"{kind}:{n}")
    return popular


async def test_the_guides_plan() -> None:
    """The 100 most popular users, the 200 most popular products, every category."""
    assert [(each.kind, each.count, each.ttl) for each in GUIDE_PLANS] == [
        ("user", 100, 3_600.0),
        ("product", 200, 1_800.0),
        ("category", None, 7_200.0),
    ]
    async with MultiLayerCache() as cache:
        reports = await warm_popular(cache, asked(user=120, product=10, category=15, cart=5), load)
        assert {kind: each.warmed for kind, each in reports.items()} == {
            "user": 100,
            "product": 10,
            "category": 15,
        }
        assert cache.probe("user:119") == "user:119"
        assert cache.probe("user:19") is None
        assert cache.probe("cart:4") is None


async def test_overload_ends_every_kind() -> None:
    """When the source refuses, the kinds that follow are not tried."""

    async def refuse(key: str) -> str:
        raise RejectedError(f"not now: {key}")

    async with MultiLayerCache() as cache:
        reports = await warm_popular(cache, asked(user=9, product=9), refuse, concurrency=1)
        assert list(reports) == ["user"]
        assert reports["user"].stopped


async def test_active_users_get_what_follows() -> None:
    """For those who came last, what followed their latest key for others."""
    successions = Successions()
    for user in ("a", "b"):
        successions.record(user, "home")
        successions.record(user, "cart")
    for user in ("c", "d"):
        successions.record(user, "home")
    assert successions.active(3) == ["d", "c", "b"]
    async with MultiLayerCache() as cache:
        report = await warm_predicted(cache, successions, load, users=2)
        assert report.warmed == 1
        assert cache.probe("cart") == "cart"
