"""A history only grows."""

import pytest

from loadpath.caplab.history import History, HistoryError, Op


def test_operations_get_their_index() -> None:
    """In the order in which they came, whatever index they had."""
    history = History()
    assert history.append(Op(type="invoke", f="read", index=9)).index == 0
    assert history.append(Op(type="ok", f="read")).index == 1
    assert [op.index for op in history] == [0, 1]
    assert len(history) == 2


def test_a_type_that_is_none_of_the_four_is_refused() -> None:
    """With its line."""
    with pytest.raises(HistoryError, match="h:3: type must be one of"):
        History([Op(type="done", f="read", line=3)], name="h")  # type: ignore[arg-type]
