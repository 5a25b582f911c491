"""Ids only grow, whatever the clock does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.errors import RejectedError
from loadpath.core.ids import EPOCH, ClockWentBack, SnowflakeIds, decode, timestamp_of
from loadpath.testing import FakeClock

NOW = 1_800_000_000.0
steps = st.one_of(
    st.tuples(st.just("step"), st.floats(-0.9, 0.9)),
    st.tuples(st.just("draw"), st.integers(1, 5_000)),
    st.tuples(st.just("many"), st.integers(0, 20_000)),
)


def draw(ids: SnowflakeIds, kind: str, n: int) -> list[int]:
    """Draw `n` ids one by one or at once."""
    return ids.many(n) if kind == "many" else [ids.next() for _ in range(n)]


@given(script=st.lists(steps, max_size=30), node=st.integers(0, 1023))
def test_ids_grow_whatever_the_clock_does(script: list[tuple[str, float]], node: int) -> None:
    """Steps either way, exhausted milliseconds and refusals never repeat or lower an id."""
    clock = FakeClock(time=NOW)
    ids = SnowflakeIds(node, clock=clock)
    drawn: list[int] = []
    for kind, value in script:
        if kind == "step":
            clock.set_time(clock.time() + value)
            continue
        try:
            drawn += draw(ids, kind, int(value))
        except ClockWentBack:
            clock.advance(0.25)
    assert all(a < b for a, b in pairwise(drawn))
    assert all(decode(each).node == node for each in drawn)


@given(readings=st.lists(st.floats(NOW, NOW + 0.05), min_size=1, max_size=300))
def test_ids_never_lag_behind_the_clock(readings: list[float]) -> None:
    """An id carries the millisecond of its drawing, or a later one when the clock stepped back."""
    clock = FakeClock(time=NOW)
    ids = SnowflakeIds(1, clock=clock)
    latest = NOW
    for reading in readings:
        clock.set_time(reading)
        latest = max(latest, reading)
        assert abs(timestamp_of(ids.next()) - latest) <= 0.001


def test_a_millisecond_holds_4096_ids_and_then_borrows() -> None:
    """The 4,097th id of a standing clock is the first of the next millisecond."""
    ids = SnowflakeIds(7, clock=FakeClock(time=NOW))
    drawn = [ids.next() for _ in range(4_097)]
    assert [decode(each).sequence for each in drawn] == [*range(4_096), 0]
    assert decode(drawn[-1]).timestamp == NOW + 0.001


def test_borrowing_ends_with_a_clear_error() -> None:
    """Past `max_ahead` nothing is drawn; the error says by how much and when to come back."""
    clock = FakeClock(time=NOW)
    ids = SnowflakeIds(7, clock=clock, max_ahead=0.002)
    newest = ids.many(3 * 4_096)[-1]
    with pytest.raises(ClockWentBack, match=r"0\.003 s behind .* retry in 0\.001 s") as caught:
        ids.next()
    assert caught.value.behind == pytest.approx(0.003)
    clock.advance(caught.value.retry_after or 0.0)
    assert ids.next() > newest


def test_a_step_back_beyond_the_bound_is_rejected() -> None:
    """A clock an hour back gets no ids until it has caught up, and then larger ones."""
    clock = FakeClock(time=NOW)
    ids = SnowflakeIds(7, clock=clock)
    newest = ids.next()
    clock.set_time(NOW - 3_600)
    with pytest.raises(RejectedError) as caught:
        ids.next()
    assert caught.value.retry_after == pytest.approx(3_599, abs=0.01)
    clock.advance(3_600)
    assert ids.next() > newest


def test_a_refused_batch_draws_nothing() -> None:
    """`many` gives all ids or none: a refusal leaves no gap in the sequence."""
    ids = SnowflakeIds(7, clock=FakeClock(time=NOW), max_ahead=0.0)
    ids.next()
    with pytest.raises(ClockWentBack):
        ids.many(4_096)
    assert decode(ids.next()).sequence == 1


def test_a_batch_is_what_single_draws_are() -> None:
    """Ten thousand ids at once equal ten thousand drawn one by one."""
    one, all_ = (SnowflakeIds(7, clock=FakeClock(time=NOW)) for _ in range(2))
    assert all_.many(10_000) == [one.next() for _ in range(10_000)]
    assert all_.many(0) == []


def test_a_restart_repeats_nothing() -> None:
    """Given the newest id of the record, a new generator starts above it on an earlier clock."""
    clock = FakeClock(time=NOW)
    newest = SnowflakeIds(7, clock=clock).many(9_000)[-1]
    clock.set_time(NOW - 0.5)
    assert SnowflakeIds(7, clock=clock, after=newest).next() > newest
    assert SnowflakeIds(6, clock=clock, after=newest).next() > newest


def test_nodes_never_collide() -> None:
    """Two nodes draw different ids in the same millisecond."""
    clock = FakeClock(time=NOW)
    drawn = [each for node in (0, 1, 1023) for each in SnowflakeIds(node, clock=clock).many(5_000)]
    assert len(set(drawn)) == len(drawn)


@given(
    milliseconds=st.integers(0, 2**41 - 1), node=st.integers(0, 1023), sequence=st.integers(0, 4095)
)
def test_decode_gives_the_parts(milliseconds: int, node: int, sequence: int) -> None:
    """An id is 41 bits of milliseconds since the epoch, 10 of node, 12 of sequence."""
    parts = decode(milliseconds << 22 | node << 12 | sequence, epoch=1_000.0)
    assert parts.timestamp == pytest.approx(1_000 + milliseconds / 1_000, abs=1e-4)
    assert parts[1:] == (node, sequence)


def test_an_epoch_of_ones_own() -> None:
    """The same epoch on both sides gives the time back."""
    ids = SnowflakeIds(0, clock=FakeClock(time=NOW), epoch=NOW - 1)
    assert timestamp_of(ids.next(), epoch=NOW - 1) == NOW


def test_ids_fit_a_signed_bigint_until_41_bits_end() -> None:
    """The last millisecond is drawn; after it there is an error, never a negative id."""
    clock = FakeClock(time=EPOCH + (2**41 - 1) / 1_000)
    ids = SnowflakeIds(1023, clock=clock)
    assert ids.many(4_096)[-1] == 2**63 - 1
    with pytest.raises(OverflowError, match="epoch"):
        ids.next()


def test_the_systems_clock_is_the_default() -> None:
    """Ids of a generator without a clock carry this machine's time and grow."""
    ids = SnowflakeIds(0)
    drawn = [ids.next() for _ in range(20_000)]
    assert all(a < b for a, b in pairwise(drawn))
    assert timestamp_of(drawn[-1]) > EPOCH


@pytest.mark.parametrize("node", [-1, 1024])
def test_a_node_that_does_not_fit_is_refused(node: int) -> None:
    """A node needs its 10 bits, or two generators would collide."""
    with pytest.raises(ValueError, match=r"node must be 0-1023"):
        SnowflakeIds(node)


@pytest.mark.parametrize("max_ahead", [-0.1, float("nan"), float("inf")])
def test_a_bound_that_bounds_nothing_is_refused(max_ahead: float) -> None:
    """Borrowing must end somewhere."""
    with pytest.raises(ValueError, match="max_ahead"):
        SnowflakeIds(0, max_ahead=max_ahead)


def test_an_epoch_in_the_future_is_refused() -> None:
    """A clock before the epoch (never set, for example) is noticed at the start."""
    with pytest.raises(ValueError, match="set the clock"):
        SnowflakeIds(0, clock=FakeClock(time=EPOCH - 1))


@pytest.mark.parametrize("after", [-1, 2**63])
def test_what_is_no_id_is_refused(after: int) -> None:
    """Neither `after` nor `decode` takes a number outside a bigint."""
    with pytest.raises(ValueError, match=r"2\*\*63 - 1"):
        SnowflakeIds(0, after=after)
    with pytest.raises(ValueError, match=r"2\*\*63 - 1"):
        decode(after)


@pytest.mark.parametrize("n", [-1, 2 * 4_096 + 1])
def test_a_batch_that_never_fits_is_refused(n: int) -> None:
    """Waiting would not help, so the error is no `ClockWentBack`; the largest batch fits."""
    ids = SnowflakeIds(0, clock=FakeClock(time=NOW), max_ahead=0.001)
    with pytest.raises(ValueError, match="n must be 0-8192"):
        ids.many(n)
    assert len(ids.many(2 * 4_096)) == 8_192
