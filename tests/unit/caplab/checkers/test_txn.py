"""Each anomaly is found by its name, and none where there is none."""

import pytest

from loadpath.caplab.checkers import LEVELS, Verdict, list_append, rw_register
from loadpath.caplab.checkers.txn import forbidden
from loadpath.caplab.history import History, HistoryError, read_text
from tests.unit.caplab.histories import ListStore, edn


def together(*txns: str) -> History:
    """Return transactions that all ran at once, each by a process of its own.

    A transaction that begins with `fail` failed, with `info` nobody knows.
    """
    begun, ended = [], []
    for process, txn in enumerate(txns):
        word, _, rest = txn.partition(" ")
        kind, value = (word, rest) if word in {"fail", "info"} else ("ok", txn)
        begun.append(f"{{:process {process} :type :invoke :f :txn :value [{value}]}}")
        ended.append(f"{{:process {process} :type :{kind} :f :txn :value [{value}]}}")
    return read_text("[" + "\n".join(begun + ended) + "]")


def one_after_the_other(*txns: str, process: bool = False) -> History:
    """Return transactions that each began when the last one had ended."""
    lines = []
    for number, txn in enumerate(txns):
        who = 0 if process else number
        lines += [
            f"{{:process {who} :type :{kind} :f :txn :value [{txn}]}}" for kind in ("invoke", "ok")
        ]
    return read_text("[" + "\n".join(lines) + "]")


def names(verdict: Verdict) -> set[str]:
    """Return the names of what was found."""
    return {each.name for each in verdict.findings}


@pytest.mark.parametrize(
    ("history", "name"),
    [
        (
            together(
                "[:append 1 1] [:append 2 1]",
                "[:append 1 2] [:append 2 2]",
                "[:r 1 [1 2]] [:r 2 [2 1]]",
            ),
            "G0",
        ),
        (together("fail [:append 1 1]", "[:r 1 [1]]"), "G1a"),
        (together("[:append 1 1] [:append 1 2]", "[:r 1 [1]]"), "G1b"),
        (together("[:append 1 1] [:r 2 [1]]", "[:append 2 1] [:r 1 [1]]"), "G1c"),
        (
            together("[:append 1 1] [:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 2 [1]]"),
            "G-single",
        ),
        (together("[:append 1 1] [:r 2 []]", "[:append 2 1] [:r 1 []]"), "G2-item"),
        (
            together(
                "[:append 1 1]", "[:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 1 []] [:r 2 [1]]"
            ),
            "long-fork",
        ),
        (
            together(
                "[:append 1 1]", "[:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 1 []] [:r 2 [1]]"
            ),
            "G-nonadjacent",
        ),
        (together("[:r 1 []] [:append 1 1]", "[:r 1 []] [:append 1 2]"), "lost-update"),
        (
            together("[:append 1 1]", "[:append 1 2]", "[:r 1 [1]]", "[:r 1 [2]]"),
            "incompatible-order",
        ),
        (together("[:append 1 1]", "[:r 1 [1 1]]"), "duplicate-elements"),
        (together("[:r 1 [9]]"), "garbage-read"),
        (together("[:append 1 1] [:r 1 []]"), "internal"),
        (together("[:append 1 1]", "[:r 1 []] [:r 1 [1]]"), "internal"),
        (together("[:r 1 []] [:append 1 1] [:r 1 [2 1]]", "[:append 1 2]"), "internal"),
        (together("fail [:append 1 1]", "[:append 1 2]", "[:r 1 [1 2]]"), "dirty-update"),
        (one_after_the_other("[:append 1 1]", "[:r 1 []]"), "G-single-realtime"),
        (one_after_the_other("[:append 1 1]", "[:r 1 []]", process=True), "G-single-process"),
        (
            one_after_the_other("[:append 1 2]", "[:append 1 1]", "[:r 1 [1 2]]"),
            "G0-realtime",
        ),
        (one_after_the_other("[:r 1 [1]]", "[:append 1 1]"), "G1c-realtime"),
    ],
)
def test_an_anomaly_of_lists_has_its_name(history: History, name: str) -> None:
    """And makes the history invalid at the strictest level."""
    verdict = list_append(history)
    assert name in names(verdict)
    assert verdict.valid is False
    assert all(each.words.startswith(each.name) for each in verdict.findings)


@pytest.mark.parametrize(
    ("history", "name"),
    [
        (together("[:w 1 1] [:r 2 1]", "[:w 2 1] [:r 1 1]"), "G1c"),
        (together("fail [:w 1 1]", "[:r 1 1]"), "G1a"),
        (together("[:w 1 1] [:w 1 2]", "[:r 1 1]"), "G1b"),
        (together("[:w 1 1] [:w 2 1]", "[:r 1 1] [:r 2 nil]"), "G-single"),
        (together("[:r 2 nil] [:w 1 1]", "[:r 1 nil] [:w 2 1]"), "G2-item"),
        (
            together("[:w 1 1]", "[:w 2 1]", "[:r 1 1] [:r 2 nil]", "[:r 1 nil] [:r 2 1]"),
            "long-fork",
        ),
        (together("[:r 1 nil] [:w 1 1]", "[:r 1 nil] [:w 1 2]"), "lost-update"),
        (together("[:w 1 1] [:r 1 2]", "[:w 1 2]"), "internal"),
        (together("[:r 1 1] [:w 1 2]", "[:r 1 2] [:w 1 1]"), "cyclic-versions"),
        (together("[:w 1 1]", "[:r 1 8]", "[:r 1 9]"), "garbage-read"),
        (one_after_the_other("[:w 1 1]", "[:r 1 nil]"), "G-single-realtime"),
        (one_after_the_other("[:w 1 1]", "[:w 1 2]", "[:r 1 1]"), "G-single-realtime"),
        (one_after_the_other("[:w 1 1]", "[:r 1 nil]", process=True), "G-single-process"),
    ],
)
def test_an_anomaly_of_registers_has_its_name(history: History, name: str) -> None:
    """And makes the history invalid at the strictest level."""
    verdict = rw_register(history)
    assert name in names(verdict)
    assert verdict.valid is False


WRITE_SKEW = together("[:append 1 1] [:r 2 []]", "[:append 2 1] [:r 1 []]")
READ_SKEW = together("[:append 1 1] [:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 2 [1]]")
LONG_FORK = together(
    "[:append 1 1]", "[:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 1 []] [:r 2 [1]]"
)
LATE = one_after_the_other("[:append 1 1]", "[:r 1 []]")


@pytest.mark.parametrize(
    ("history", "level", "valid"),
    [
        (WRITE_SKEW, "snapshot-isolation", True),
        (WRITE_SKEW, "repeatable-read", False),
        (WRITE_SKEW, "serializable", False),
        (READ_SKEW, "read-committed", True),
        (READ_SKEW, "consistent-view", False),
        (READ_SKEW, "snapshot-isolation", False),
        (LONG_FORK, "parallel-snapshot-isolation", True),
        (LONG_FORK, "snapshot-isolation", False),
        (LATE, "serializable", True),
        (LATE, "strong-session-serializable", True),
        (LATE, "strong-snapshot-isolation", False),
        (LATE, "strict-serializable", False),
        (together("fail [:append 1 1]", "[:r 1 [1]]"), "read-uncommitted", True),
        (together("fail [:append 1 1]", "[:r 1 [1]]"), "read-committed", False),
    ],
)
def test_a_level_forbids_what_it_forbids(history: History, level: str, valid: bool) -> None:  # noqa: FBT001 - a table's column
    """And no more."""
    assert list_append(history, consistency=level).valid is valid


def test_stricter_levels_forbid_more() -> None:
    """Each level is somewhere between the weakest and the strictest."""
    for name, level in LEVELS.items():
        assert LEVELS["read-uncommitted"] <= level <= LEVELS["strict-serializable"], name
        assert forbidden(name) == level
    with pytest.raises(ValueError, match="consistency must be one of"):
        forbidden("linearizable")


def test_appends_that_nobody_read_come_last() -> None:
    """Two transactions that missed each other's append: no read shows it directly."""
    verdict = list_append(together("[:r 1 []] [:append 2 1]", "[:r 2 []] [:append 1 1]"))
    assert "G2-item" in names(verdict)


def test_what_nobody_knows_counts_when_it_was_seen() -> None:
    """An append that timed out and was read did happen; one that was not read says nothing."""
    seen = together("info [:append 1 1] [:append 2 1]", "[:r 1 [1]] [:r 2 []]", "[:r 2 [1]]")
    assert "G-single" in names(list_append(seen))
    assert list_append(together("info [:append 1 1]", "[:r 1 []]")).valid


def test_a_cycle_is_told_in_words() -> None:
    """Who did what, and why each comes before the next."""
    words = list_append(WRITE_SKEW).findings[0].words
    assert "T0 before T1: T0 read nothing of 2 and not 1, which T1 wrote next" in words
    assert "T1 before T0: T1 read nothing of 1 and not 1, which T0 wrote next" in words
    late = list_append(LATE).findings[0].words
    assert "T0 had ended when T1 began" in late


def test_values_that_are_not_unique_make_it_unknown() -> None:
    """No read could tell whose it was."""
    assert list_append(together("[:append 1 1]", "[:append 1 1]")).valid is None
    verdict = rw_register(together("[:w 1 1]", "[:w 1 1]"))
    assert verdict.valid is None
    assert "more than once" in (verdict.reason or "")


def test_a_value_from_before_the_history_is_no_anomaly() -> None:
    """As Elle has it; two of them are one too many."""
    assert rw_register(together("[:w 1 2]", "[:r 1 3]")).valid
    assert rw_register(together("[:w 1 2]", "[:r 1 3]", "[:r 1 4]")).valid is False


@pytest.mark.parametrize("seed", range(10))
def test_a_right_store_is_strictly_serializable(seed: int) -> None:
    """Whatever crashes."""
    history = ListStore(seed, processes=6).run(300)
    verdict = list_append(history)
    assert verdict.valid, verdict.findings


def test_a_stale_store_is_caught() -> None:
    """Every time."""
    for seed in range(10):
        assert list_append(ListStore(seed, processes=4, stale=0.2).run(300)).valid is False


@pytest.mark.parametrize("check", [list_append, rw_register])
def test_what_is_no_transaction_is_refused(check: object) -> None:
    """With its operation."""
    for text in ("0 invoke txn 5\n0 ok txn 5", "0 invoke txn [[:x 1 2]]\n0 ok txn [[:x 1 2]]"):
        with pytest.raises(HistoryError, match="operation 0 is no transaction"):
            check(edn(text))  # type: ignore[operator]


def test_keys_of_independent_histories_are_kept_apart() -> None:
    """A `[key transaction]` is a transaction on keys of that key."""
    text = "0 invoke txn [7 [[:append 1 1]]]\n0 ok txn [7 [[:append 1 1]]]"
    text += "\n1 invoke txn [8 [[:r 1 nil]]]\n1 ok txn [8 [[:r 1 []]]]"
    assert list_append(edn(text)).valid


def test_an_empty_history_is_valid() -> None:
    """There is nothing to explain."""
    assert list_append(History()).valid
    assert rw_register(History()).valid
