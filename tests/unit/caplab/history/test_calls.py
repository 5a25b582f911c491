"""Operations become calls."""

import pytest

from loadpath.caplab.history import History, HistoryError, Op, calls_of, keyed, read_text
from loadpath.caplab.history.calls import is_keyed
from tests.unit.caplab.histories import edn


def test_a_call_spans_its_operations() -> None:
    """What was asked, what was answered, from where to where."""
    (read, write) = calls_of(edn("0 invoke read nil\n1 invoke write 2\n1 ok write 2\n0 ok read 2"))
    assert (read.start, read.end, read.result, read.outcome) == (0, 3, 2, "ok")
    assert (write.start, write.end, write.value) == (1, 2, 2)


def test_a_call_without_an_end_may_still_happen() -> None:
    """As one that ended with info."""
    calls = calls_of(edn("0 invoke write 1\n1 invoke write 2\n0 info write 1"))
    assert [(call.outcome, call.end) for call in calls] == [("info", None), ("info", None)]


def test_both_meanings_of_fail() -> None:
    """It did not happen, or the answer was no."""
    history = edn("0 invoke cas [1 2]\n0 fail cas [1 2]")
    assert calls_of(history) == []
    assert calls_of(history, fails="absent") == []
    assert [call.outcome for call in calls_of(history, fails="refused")] == ["fail"]
    assert [call.outcome for call in calls_of(history, failed=True)] == ["fail"]


def test_a_log_says_itself_what_fail_means() -> None:
    """In a console log the answer was no, and one that timed out has no answer."""
    log = "INFO jepsen.util - 0 :invoke :cas [1 2]\nINFO jepsen.util - 0 :fail :cas "
    assert [c.outcome for c in calls_of(read_text(log + "[1 2]"))] == ["fail"]
    assert [c.outcome for c in calls_of(read_text(log + ":timed-out"))] == ["info"]
    assert calls_of(read_text(log + "[1 2]"), fails="absent") == []


def test_a_nemesis_is_no_client() -> None:
    """What it does is left out."""
    history = History([Op(type="info", process="nemesis", f="start")] * 2)
    assert calls_of(history) == []


def test_a_process_does_one_call_at_a_time() -> None:
    """A second one at once is refused: nobody could tell which was answered."""
    with pytest.raises(HistoryError, match="process 0 invokes read while its write") as refused:
        calls_of(edn("0 invoke write 1\n0 invoke read nil"))
    assert refused.value.line == 2


def test_a_completion_without_invocation() -> None:
    """One that succeeded is a call of no length, another one says nothing."""
    calls = calls_of(edn("0 ok write 1\n1 info write 2\n2 fail write 3"))
    assert [(call.start, call.end) for call in calls] == [(0, 0)]


def test_arguments_may_be_told_at_the_end() -> None:
    """Those of a write; a read has none."""
    (call,) = calls_of(edn("0 invoke write nil\n0 ok write 3"))
    assert call.value == 3


def test_calls_on_keys_come_apart() -> None:
    """Values lose their key, those of answers too."""
    calls = calls_of(
        edn("0 invoke write [:a 1]\n0 ok write [:a 1]\n1 invoke read [:b nil]\n1 ok read [:b 2]")
    )
    assert is_keyed(calls)
    found = {each.key: each.calls[0] for each in keyed(calls)}
    assert found["a"].value == 1
    assert found["b"].result == 2


@pytest.mark.parametrize(
    "text",
    [
        "0 invoke cas [1 2]\n0 ok cas [1 2]",
        "0 invoke read nil\n0 ok read [1 2]",
        "0 invoke read [1 2]\n0 ok read [1 2]",
    ],
)
def test_a_pair_alone_is_no_key(text: str) -> None:
    """A compare-and-set has two values as well."""
    assert not is_keyed(calls_of(edn(text)))
