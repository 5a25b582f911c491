"""The memory layer is bounded, exact, and its policies keep what they say."""

from collections import OrderedDict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.barriers import Barriers
from loadpath.cache.entry import Entry
from loadpath.cache.l1 import L1
from loadpath.cache.lru import Lru
from loadpath.cache.missing import MISSING
from loadpath.cache.s3fifo import S3Fifo
from loadpath.testing import FakeClock

POLICIES = [S3Fifo, Lru]
every_policy = pytest.mark.parametrize("policy", POLICIES)


def made(
    policy: type[L1], *, entries: int = 10, size: int = 10**9, clock: FakeClock | None = None
) -> tuple[L1, Barriers]:
    """Return a layer and its barriers."""
    barriers = Barriers()
    layer = policy(clock or FakeClock(), barriers, max_entries=entries, max_bytes=size)
    return layer, barriers


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "probe", "remove", "tag", "pass", "where"]),
        st.integers(0, 30),
        st.integers(0, 12),
    ),
    max_size=150,
)


@every_policy
@given(steps=steps, entries=st.integers(1, 12), size=st.integers(1, 60))
def test_whatever_happens_it_serves_only_what_is_true_and_stays_within_bounds(
    policy: type[L1], steps: list[tuple[str, int, int]], entries: int, size: int
) -> None:
    """Against a dict that forgets nothing: no other value, none too old, none invalidated."""
    clock = FakeClock()
    layer, barriers = made(policy, entries=entries, size=size, clock=clock)
    model: dict[str, tuple[int, float, str]] = {}
    hits = misses = 0
    for number, (what, name, amount) in enumerate(steps):
        key = str(name)
        if what == "put":
            tag, until = f"t{name % 3}", clock.monotonic() + amount + 1
            entry = Entry(
                number, fresh_until=until, size=amount, tags=(tag,), born=barriers.sequence
            )
            assert layer.put(key, entry) is (key in layer)
            model[key] = (number, until, tag)
        elif what == "remove":
            layer.remove(key)
            model.pop(key, None)
        elif what == "where":
            layer.remove_where(lambda each, name=name: int(each) < name)
            model = {each: held for each, held in model.items() if int(each) >= name}
        elif what == "tag":
            barriers.invalidate(f"t{name % 3}")
            model = {each: held for each, held in model.items() if held[2] != f"t{name % 3}"}
        elif what == "pass":
            clock.advance(amount)
        else:
            value = layer.probe(key, MISSING)
            hits, misses = hits + (value is not MISSING), misses + (value is MISSING)
            if value is not MISSING:
                assert value == model[key][0]
                assert clock.monotonic() < model[key][1]
        stats = layer.snapshot()
        assert stats.entries == len(list(layer.keys())) <= entries
        assert 0 <= stats.bytes <= size
        assert (stats.hits, stats.misses) == (hits, misses)


@every_policy
def test_what_fits_is_all_kept(policy: type[L1]) -> None:
    """A layer that is not full loses nothing."""
    layer, _ = made(policy, entries=100)
    for number in range(100):
        assert layer.put(str(number), Entry(number))
    assert [layer.probe(str(number)) for number in range(100)] == list(range(100))
    assert layer.snapshot().evictions == 0


@given(keys=st.lists(st.integers(0, 20), max_size=200), entries=st.integers(1, 8))
def test_lru_keeps_the_most_recently_used(keys: list[int], entries: int) -> None:
    """After every access it holds exactly what an ordered dict would."""
    layer, _ = made(Lru, entries=entries)
    model: OrderedDict[str, None] = OrderedDict()
    for number in keys:
        key = str(number)
        if layer.probe(key, MISSING) is MISSING:
            layer.put(key, Entry(number))
        model[key] = None
        model.move_to_end(key)
        if len(model) > entries:
            model.popitem(last=False)
        assert set(layer.keys()) == set(model)


def hit_ratio(layer: L1, trace: list[int]) -> float:
    """Return the share of accesses that hit when misses are filled (0-1)."""
    for number in trace:
        key = str(number)
        if layer.probe(key, MISSING) is MISSING:
            layer.put(key, Entry(number))
    return layer.snapshot().hit_ratio


def test_s3fifo_is_not_washed_out_by_a_scan() -> None:
    """A hundred popular keys stay although every second access is to a key never seen again."""
    chance = Random(1)
    trace = [n for once in range(10_000) for n in (chance.randrange(100), 1_000 + once)]
    modern = hit_ratio(made(S3Fifo, entries=130)[0], trace)
    plain = hit_ratio(made(Lru, entries=130)[0], trace)
    assert modern > 0.4
    assert modern > plain + 0.05


def test_s3fifo_beats_lru_on_a_power_law() -> None:
    """Zipf 1.0 over 20,000 keys with room for 1 %: at least eight points more hits."""
    chance = Random(2)
    ranks = range(1, 20_001)
    trace = chance.choices(ranks, weights=[1 / rank for rank in ranks], k=60_000)
    modern = hit_ratio(made(S3Fifo, entries=200)[0], trace)
    plain = hit_ratio(made(Lru, entries=200)[0], trace)
    assert modern >= plain + 0.08


@every_policy
def test_a_stale_value_can_be_peeked_until_it_must_go(policy: type[L1]) -> None:
    """Fresh, then only stale, then gone."""
    clock = FakeClock()
    layer, _ = made(policy, clock=clock)
    layer.put("a", Entry("v", fresh_until=10.0, keep_until=20.0))
    clock.advance(10.0)
    assert layer.probe("a") is None
    held = layer.peek("a")
    assert held is not None
    assert held.value == "v"
    clock.advance(10.0)
    assert layer.peek("a") is None
    assert "a" not in layer
    assert layer.snapshot().expired == 1


@every_policy
def test_a_hit_does_not_make_a_value_younger(policy: type[L1]) -> None:
    """However often it is read, it is gone when its time is up."""
    clock = FakeClock()
    layer, _ = made(policy, clock=clock)
    layer.put("a", Entry("v", fresh_until=10.0))
    for _ in range(9):
        clock.advance(1.0)
        assert layer.probe("a") == "v"
    clock.advance(1.0)
    assert layer.probe("a") is None


@every_policy
def test_a_value_due_for_an_early_refresh_is_told_apart(policy: type[L1]) -> None:
    """A plain read hits; one that would refresh gets the default, and nothing is counted."""
    clock = FakeClock()
    layer, _ = made(policy, clock=clock)
    layer.put("a", Entry("v", fresh_until=10.0, eager_at=8.0))
    assert layer.probe("a", MISSING, eager=True) == "v"
    clock.advance(8.0)
    assert layer.probe("a") == "v"
    assert layer.probe("a", MISSING, eager=True) is MISSING
    assert (layer.hits, layer.misses) == (2, 0)


@every_policy
def test_what_is_larger_than_the_layer_is_refused_and_the_old_value_goes(policy: type[L1]) -> None:
    """Serving the old value would be wrong; nothing else is evicted for it."""
    layer, _ = made(policy, size=100)
    layer.put("other", Entry(1, size=50))
    layer.put("a", Entry("old", size=10))
    assert not layer.put("a", Entry("new", size=101))
    assert layer.probe("a") is None
    assert layer.probe("other") == 1
    assert layer.snapshot().refusals == 1


@every_policy
def test_a_layer_without_room_is_refused(policy: type[L1]) -> None:
    """Bounds are checked when they are given."""
    with pytest.raises(ValueError, match="max_entries and max_bytes"):
        made(policy, entries=0)
    with pytest.raises(ValueError, match="max_entries and max_bytes"):
        made(policy, size=0)
