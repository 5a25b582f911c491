"""A service admits the newest holder, again and again, and no older one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.lock import StaleTokenError
from loadpath.lock.fence import LARGEST, admit, token_of


@given(tokens=st.lists(st.integers(1, LARGEST), min_size=1))
def test_no_admitted_token_is_older_than_one_before(tokens: list[int]) -> None:
    """Whatever order requests come in."""
    newest, admitted = 0, []
    for token in tokens:
        if token < newest:
            with pytest.raises(StaleTokenError) as stale:
                admit(str(token), newest)
            assert (stale.value.token, stale.value.newest) == (token, newest)
        else:
            newest = admit(str(token), newest)
            admitted.append(token)
    assert admitted == sorted(admitted)


def test_a_holder_may_write_twice() -> None:
    """The same token is admitted again."""
    assert admit(" 7\t", admit("7", 3)) == 7


@pytest.mark.parametrize(
    "header", [None, "", "0", "-1", "+1", "1.0", "0x1", "٣", "1 2", str(2**63), "9" * 5_000, "²"]
)
def test_what_is_no_token_is_a_bad_request(header: str | None) -> None:
    """Never taken for an old token, nor for a new one."""
    with pytest.raises(ValueError, match="Fencing-Token"):
        token_of(header)
