"""A barrier makes invalid what began before it, and nothing that began after."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.barriers import Barriers

tags = st.sampled_from(["a", "b", "c", "d"])


@given(
    steps=st.lists(st.one_of(tags, st.none(), st.frozensets(tags)), max_size=60),
    limit=st.integers(1, 5),
)
def test_invalid_exactly_when_a_tag_was_invalidated_since(
    steps: list[str | frozenset[str] | None], limit: int
) -> None:
    """A text invalidates a tag, None everything, a set begins an entry with these tags."""
    barriers = Barriers(limit=limit)
    entries: list[tuple[tuple[str, ...], int, bool]] = []
    seen: set[str] = set()
    for step in steps:
        if isinstance(step, frozenset):
            entries.append((tuple(step), barriers.sequence, True))
        elif step is None:
            barriers.invalidate_all()
            entries = [(held, born, False) for held, born, _ in entries]
        else:
            barriers.invalidate(step)
            seen.add(step)
            entries = [(held, born, valid and step not in held) for held, born, valid in entries]
        for held, born, valid in entries:
            if len(seen) <= limit:
                assert barriers.valid(held, born) is valid
            else:
                assert valid or not barriers.valid(held, born), "what is invalid stays so"


def test_too_many_tags_become_one_barrier() -> None:
    """Memory is bounded; entries that began afterwards are not affected."""
    barriers = Barriers(limit=2)
    old = barriers.sequence
    for tag in "abc":
        barriers.invalidate(tag)
    assert not barriers.valid(("z",), old)
    assert barriers.valid(("a", "z"), barriers.sequence)


def test_a_limit_without_room_is_refused() -> None:
    """It is checked when it is given."""
    with pytest.raises(ValueError, match="limit"):
        Barriers(limit=0)
