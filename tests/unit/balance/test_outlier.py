"""Outliers go out, for longer each time, never too many, and come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import Failure, OutlierDetector, OutlierRules
from loadpath.balance.outlier import Track


def detector(count: int, rules: OutlierRules | None = None) -> tuple[OutlierDetector, list[Track]]:
    """Return a detector over so many tracks, at time 0."""
    made = OutlierDetector(rules or OutlierRules(), 0.0)
    tracks = [Track() for _ in range(count)]
    made.watch(tracks)
    return made, tracks


def fail(
    made: OutlierDetector, track: Track, times: int, failure: Failure = "error", now: float = 0.0
) -> bool:
    """Let calls fail, and return whether the last one ejected."""
    return [made.on_failure(track, failure, now) for _ in range(times)][-1]


def test_five_failures_in_a_row() -> None:
    """Envoy's default: the fifth ejects, for 30 s."""
    made, tracks = detector(3)
    assert not fail(made, tracks[0], 4)
    assert fail(made, tracks[0], 1, now=2.0)
    assert (tracks[0].ejected, tracks[0].until, made.ejected) == (True, 32.0, 1)
    assert made.due == 10.0  # the rates are looked at before


def test_a_success_between_forgives() -> None:
    """Four failures, a success, four failures: nobody goes out."""
    made, tracks = detector(3)
    for _ in range(3):
        fail(made, tracks[0], 4)
        made.on_success(tracks[0])
    assert not tracks[0].ejected


@pytest.mark.parametrize(
    ("failures", "rule", "out"),
    [
        (["local", "local", "local"], "consecutive_local", True),
        (["local", "gateway", "local", "local"], "consecutive_local", False),
        (["local", "error", "local", "local"], "consecutive_local", False),
        (["local", "gateway", "local"], "consecutive_gateway", True),
        (["gateway", "error", "gateway", "gateway"], "consecutive_gateway", False),
        (["error", "gateway", "local"], "consecutive_errors", True),
    ],
)
def test_each_kind_has_its_own_row(failures: list[Failure], rule: str, *, out: bool) -> None:
    """Local failures count as gateway failures, both as errors; an answer ends the local row."""
    off = dict.fromkeys(["consecutive_errors", "consecutive_gateway", "consecutive_local"])
    made, tracks = detector(3, OutlierRules(**{**off, rule: 3}))  # type: ignore[arg-type] # by name
    assert [made.on_failure(tracks[0], each, 0.0) for each in failures][-1] is out


def test_each_ejection_is_longer_and_good_intervals_shorten_it() -> None:
    """30, 60, 90 s; a whole interval of service takes 30 s off again."""
    made, (track, *_) = detector(4)
    now, lasted = 0.0, []
    for _ in range(3):
        fail(made, track, 5, now=now)
        lasted.append(track.until - now)
        now = track.until
        assert made.sweep(now)
        assert not track.ejected
    assert lasted == [30.0, 60.0, 90.0]
    for _ in range(2):
        now += 10.0
        made.sweep(now)
    assert track.ejections == 1
    fail(made, track, 5, now=now)
    assert track.until - now == 60.0


def test_an_ejection_has_a_longest_time() -> None:
    """The tenth is not ten times as long."""
    made, (track, *_) = detector(4)
    now = 0.0
    for _ in range(12):
        fail(made, track, 5, now=now)
        assert track.until - now <= 300.0
        now = track.until
        made.sweep(now)


def test_one_who_just_came_back_is_not_forgiven_by_the_same_sweep() -> None:
    """An interval that was spent outside is no good interval."""
    made, (track, *_) = detector(4)
    fail(made, track, 5)
    made.sweep(30.0)
    assert (track.ejected, track.ejections) == (False, 1)


def test_not_too_many_go_out() -> None:
    """With half at most, the third of four stays in."""
    made, tracks = detector(4)
    assert [fail(made, track, 5) for track in tracks] == [True, True, False, False]
    assert made.ejected == 2


def test_one_may_always_go_out_unless_none_may() -> None:
    """A tenth of three is less than one; as in gRPC, the first one goes nevertheless."""
    made, tracks = detector(3, OutlierRules(max_ejected=0.1))
    assert [fail(made, track, 5) for track in tracks] == [True, False, False]
    made, tracks = detector(3, OutlierRules(max_ejected=0.0))
    assert not fail(made, tracks[0], 50)


def rates(made: OutlierDetector, tracks: list[Track], *successes: int, calls: int = 100) -> None:
    """Let each endpoint have so many calls, and so many of them succeed."""
    for track, good in zip(tracks, successes, strict=True):
        for call in range(calls):
            # Failures are spread, so that no row is long.
            if call * (calls - good) // calls != (call + 1) * (calls - good) // calls:
                made.on_failure(track, "error", 0.0)
            else:
                made.on_success(track)


def test_a_success_rate_far_below_the_mean() -> None:
    """One of six at 80 % among 99 %: below the mean less 1.9 standard deviations."""
    made, tracks = detector(6)
    rates(made, tracks, 99, 99, 99, 99, 99, 80)
    assert not any(track.ejected for track in tracks)
    assert made.sweep(10.0)
    assert [track.ejected for track in tracks] == [False] * 5 + [True]


def test_a_success_rate_needs_hosts_and_calls() -> None:
    """Four endpoints give no mean, and neither do 99 calls."""
    for count, calls in ((4, 100), (6, 99)):
        made, tracks = detector(count)
        rates(made, tracks, *[calls] * (count - 1), calls - 20, calls=calls)
        assert not made.sweep(10.0)


def test_everybody_failing_alike_is_no_outlier() -> None:
    """When all fail, none stands out, and the rule does nothing."""
    made, tracks = detector(6)
    rates(made, tracks, *[70] * 6)
    assert not made.sweep(10.0)


def test_a_share_of_failures_is_out_whatever_others_do() -> None:
    """With the rule on, every endpoint at its limit goes, as far as half of them."""
    made, tracks = detector(6, OutlierRules(failure_share=0.3, success_rate_stdev=None))
    rates(made, tracks, 60, 60, 90, 90, 71, 70)
    assert made.sweep(10.0)
    assert [track.ejected for track in tracks] == [True, True, False, False, False, True]


def test_rates_are_of_one_interval() -> None:
    """What was before does not count again."""
    made, tracks = detector(6)
    rates(made, tracks, 99, 99, 99, 99, 99, 99)
    made.sweep(10.0)
    assert all(track.calls == track.successes == 0 for track in tracks)


def test_one_that_is_gone_no_longer_counts() -> None:
    """A set without the ejected one may eject again."""
    made, tracks = detector(4)
    fail(made, tracks[0], 5)
    fail(made, tracks[1], 5)
    made.watch(tracks[1:])
    assert made.ejected == 1
    assert fail(made, tracks[2], 5)


def test_a_reset_lets_back_at_once() -> None:
    """And forgets how often it was out."""
    made, tracks = detector(3)
    fail(made, tracks[0], 5)
    made.reset(tracks[0])
    assert (tracks[0].ejected, tracks[0].ejections, made.ejected) == (False, 0, 0)


events = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["success", "error", "gateway", "local"]),
        st.floats(0, 40),
    ),
    max_size=120,
)


@given(events=events, share=st.floats(0, 1))
def test_never_too_many_and_never_for_ever(
    events: list[tuple[int, str, float]], share: float
) -> None:
    """Whatever happens, the share holds, counts are right, and everybody comes back."""
    rules = OutlierRules(max_ejected=share, consecutive_errors=2)
    made, tracks = detector(6, rules)
    now = 0.0
    for number, kind, gap in events:
        now += gap
        if now >= made.due:
            made.sweep(now)
        if kind == "success":
            made.on_success(tracks[number])
        else:
            made.on_failure(tracks[number], kind, now)  # type: ignore[arg-type] # from the list
        out = [track for track in tracks if track.ejected]
        assert made.ejected == len(out)
        assert not out or len(out) - 1 < share * 6
        assert all(now < track.until <= now + rules.max_ejection for track in out)
        assert made.due <= min([now + rules.interval, *(track.until for track in out)])
    made.sweep(now + rules.max_ejection)
    assert made.ejected == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("consecutive_errors", 0),
        ("consecutive_gateway", 0),
        ("consecutive_local", -1),
        ("interval", 0.0),
        ("base_ejection", 0.0),
        ("base_ejection", 301.0),
        ("max_ejected", 1.1),
        ("success_rate_stdev", -1.0),
        ("success_rate_hosts", 0),
        ("failure_share", 0.0),
        ("failure_share_calls", 0),
    ],
)
def test_rules_without_meaning_are_refused(field: str, value: float) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=field):
        OutlierRules(**{field: value})  # type: ignore[arg-type] # by name


def test_a_kind_of_failure_that_there_is_not_is_refused() -> None:
    """And nothing is counted."""
    made, tracks = detector(1)
    with pytest.raises(ValueError, match="failure must be one of"):
        made.on_failure(tracks[0], "timeout", 0.0)  # type: ignore[arg-type] # wrong on purpose
    assert tracks[0].calls == 0
