"""Only plain names become SQL."""

import pytest

from loadpath.lock.fence_postgres import fence_trigger, update_statement


def test_the_statement_compares_and_writes_in_one() -> None:
    """The holder's own token passes again."""
    assert update_statement("bank.account", ["id"], ["balance", "note"]) == (
        "UPDATE bank.account SET balance = $1, note = $2, fence = $4 WHERE id = $3 AND fence <= $4"
    )


@pytest.mark.parametrize("name", ["", "a b", "a;--", 'a"', "1a", "a.b.c;", "ä", "a..b"])
def test_other_names_are_refused(name: str) -> None:
    """They would be somebody else's SQL."""
    with pytest.raises(ValueError, match="plain"):
        fence_trigger(name)
    with pytest.raises(ValueError, match="plain"):
        update_statement("t", [name], ["a"])
    with pytest.raises(ValueError, match="plain"):
        fence_trigger("t", column=name)
    with pytest.raises(ValueError, match="at least one"):
        update_statement("t", [], ["a"])
