"""Bank, sets, counter, long fork, sessions and convergence: what is wrong is found by its name."""

import pytest

from loadpath.caplab.checkers import (
    Verdict,
    bank,
    convergence,
    counter,
    final_set,
    long_fork,
    session,
    set_full,
)
from loadpath.caplab.history import History, read_text
from loadpath.caplab.models import ModelError
from tests.unit.caplab.histories import BankStore, edn, sequence


def names(verdict: Verdict) -> set[str]:
    """Return the names of what was found and is forbidden."""
    return {each.name for each in verdict.findings if each.forbidden}


def reads(*balances: str) -> History:
    """Return reads of a bank."""
    return edn("\n".join(f"0 invoke read nil\n0 ok read {each}" for each in balances))


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (reads("{0 5, 1 5}", "{0 4, 1 6}"), set()),
        (reads("{0 5, 1 5}", "{0 4, 1 5}"), {"wrong-total"}),
        (reads("{0 5, 1 5}", "{0 -1, 1 11}"), {"negative-value"}),
        (reads("{0 5, 1 5}", "{0 10}"), {"unexpected-key"}),
        (reads("{0 5, 1 5}", "{0 5, 1 5, 2 0}"), {"unexpected-key"}),
        (reads("{0 5, 1 5}", "{0 nil, 1 10}"), {"nil-balance"}),
        (reads('{"0" 5, "1" 5}', "{0 5, 1 5}"), set()),
    ],
)
def test_a_bank_keeps_its_invariant(history: History, found: set[str]) -> None:
    """Same accounts, same total, none overdrawn."""
    verdict = bank(history)
    assert names(verdict) == found
    assert verdict.valid is not found or not found


def test_what_a_bank_is_told() -> None:
    """The total may be told, and overdrafts allowed."""
    assert bank(reads("{0 5, 1 5}"), total=11).valid is False
    assert bank(reads("{0 5, 1 5}", "{0 -1, 1 11}"), negative=True).valid
    assert bank(History()).valid is None
    with pytest.raises(ModelError, match="map of balances"):
        bank(reads("5"))


@pytest.mark.parametrize("seed", range(5))
def test_a_right_bank_is_valid(seed: int) -> None:
    """Whatever crashes."""
    assert bank(BankStore(seed, processes=6).run(200)).valid


def test_a_set_holds_at_the_end_what_was_added() -> None:
    """All of it, and nothing else."""
    added = [(0, "add", 1, 1), (0, "add", 2, 2)]
    assert final_set(sequence(*added, (0, "read", None, (1, 2)))).valid
    assert names(final_set(sequence(*added, (0, "read", None, (1,))))) == {"lost"}
    assert names(final_set(sequence(*added, (0, "read", None, (1, 2, 3))))) == {"unexpected"}
    assert final_set(sequence(*added)).valid is None


def test_what_is_once_in_a_set_stays() -> None:
    """Else it is lost; one that is missed for a while is stale, one never seen is told."""
    seen = [(0, "add", 1, 1), (0, "read", None, (1,))]
    assert set_full(sequence(*seen)).valid
    assert names(set_full(sequence(*seen, (0, "read", None, ())))) == {"lost"}
    assert names(set_full(sequence((0, "add", 1, 1), (0, "read", None, (1, 1))))) == {"duplicated"}
    stale = sequence((0, "add", 1, 1), (0, "read", None, ()), (0, "read", None, (1,)))
    assert set_full(stale).valid
    assert names(set_full(stale, linearizable=True)) == {"stale"}
    never = edn("0 invoke add 1\n0 info add 1\n1 invoke read nil\n1 ok read []")
    assert set_full(never).figures["never-read"] == 1
    assert set_full(never).valid is None


def test_staleness_is_measured() -> None:
    """From when it was known to when a read last began that missed it."""
    history = read_text(
        """[{:process 0 :type :invoke :f :add :value 1 :time 0}
        {:process 0 :type :ok :f :add :value 1 :time 1000000000}
        {:process 0 :type :invoke :f :read :time 3000000000}
        {:process 0 :type :ok :f :read :value [] :time 4000000000}
        {:process 0 :type :invoke :f :read :time 5000000000}
        {:process 0 :type :ok :f :read :value [1] :time 6000000000}]"""
    )
    assert set_full(history).figures["worst stale"] == 2.0


def test_sets_of_keys() -> None:
    """Elements are pairs of key and value then."""
    text = "0 invoke add [7 1]\n0 ok add [7 1]\n0 invoke read [7 nil]\n0 ok read [7 #{1}]"
    assert set_full(edn(text)).valid
    assert final_set(edn(text)).valid


def test_a_counter_stays_in_its_bounds() -> None:
    """What was added must be counted, what may have been added may be."""
    text = "0 invoke add 2\n0 ok add 2\n1 invoke add 3\n2 invoke read nil\n2 ok read "
    for value, valid in ((1, False), (2, True), (4, True), (5, True), (6, False)):
        assert counter(edn(text + str(value))).valid is valid, value
    down = text.replace("add 3", "add -3")
    for value, valid in ((-2, False), (-1, True), (2, True), (3, False)):
        assert counter(edn(down + str(value))).valid is valid, value


def test_a_counter_that_nobody_read_is_valid() -> None:
    """As Jepsen has it; the verdict says so."""
    verdict = counter(edn("0 invoke add 2\n0 ok add 2"))
    assert verdict.valid
    assert verdict.findings[0].name == "unread"


def test_a_long_fork_is_found() -> None:
    """Two readers saw two writes in opposite orders."""
    first = "0 invoke txn nil\n0 ok txn [[:r 1 1] [:r 2 nil]]\n"
    other = "1 invoke txn nil\n1 ok txn [[:r 2 {}] [:r 1 {}]]"
    assert long_fork(edn(first + other.format("1", "nil"))).valid is False
    assert long_fork(edn(first + other.format("1", "1"))).valid
    assert long_fork(History()).valid is None
    twice = "2 ok txn [[:w 1 1]]\n3 ok txn [[:w 1 2]]"
    assert long_fork(edn(first + twice)).valid is None


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([(0, "add", 1, 1), (0, "read", None, (1,))], set()),
        ([(0, "add", 1, 1), (1, "read", None, ())], set()),
        ([(0, "add", 1, 1), (0, "read", None, ())], {"read-your-writes"}),
        (
            [(0, "add", 1, 1), (1, "read", None, (1,)), (1, "read", None, ())],
            {"monotonic-reads"},
        ),
        (
            [(0, "add", 1, 1), (0, "add", 2, 2), (1, "read", None, (2,))],
            {"monotonic-writes"},
        ),
        (
            [
                (0, "add", 1, 1),
                (1, "read", None, (1,)),
                (1, "add", 2, 2),
                (2, "read", None, (2,)),
            ],
            {"writes-follow-reads"},
        ),
    ],
)
def test_each_session_guarantee_is_judged(
    calls: list[tuple[int, str, object, object]], found: set[str]
) -> None:
    """By its own name."""
    assert names(session(sequence(*calls))) == found


def test_sessions_without_reads_are_unknown() -> None:
    """And other calls are refused."""
    assert session(sequence((0, "add", 1, 1))).valid is None
    with pytest.raises(ModelError, match="add and read"):
        session(sequence((0, "remove", 1, 1)))
    with pytest.raises(ModelError, match="collection"):
        session(sequence((0, "read", None, 5)))


def test_in_the_end_all_show_the_same() -> None:
    """All that was acknowledged; a read from before the last add does not count."""
    add = [(0, "add", 1, 1), (1, "add", 2, 2)]
    both = [(0, "read", None, (1, 2)), (1, "read", None, (2, 1))]
    early = [(2, "read", None, ())]
    assert convergence(sequence(*early, *add, *both)).valid
    lost = [(0, "read", None, (1,)), (1, "read", None, (1,))]
    assert names(convergence(sequence(*add, *lost))) == {"lost"}
    strange = [(0, "read", None, (1, 2)), (1, "read", None, (1, 2, 3))]
    assert names(convergence(sequence(*add, *strange))) == {"diverged"}
    assert convergence(sequence(*add, both[0])).valid is None
