"""An invalidation reaches everybody who fetches the key, and nobody who begins afterwards."""

from loadpath.cache.watches import Watches


def test_those_who_began_before_are_told() -> None:
    """Together; those who begin later are not."""
    watches = Watches()
    one, two, other = watches.join("a"), watches.join("a"), watches.join("b")
    watches.invalidate("a")
    later = watches.join("a")
    assert one.dirty
    assert two.dirty
    assert not other.dirty
    assert not later.dirty
    for key, watch in (("a", one), ("a", two), ("b", other), ("a", later)):
        watches.part(key, watch)
    assert len(watches) == 0


def test_by_pattern() -> None:
    """Every key that matches."""
    watches = Watches()
    held = {key: watches.join(key) for key in ("user:1", "user:10", "post:1")}
    watches.invalidate_where(lambda key: key.startswith("user"))
    assert [watch.dirty for watch in held.values()] == [True, True, False]
