"""Of each key the last write is left, and versions grow with the queue."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.coalesce import Write, coalesced, version_of


@given(keys=st.lists(st.sampled_from("abcd")))
def test_applying_what_is_left_is_like_applying_all(keys: list[str]) -> None:
    """The same final state, in the order of the last writes, and no key twice."""
    writes = [Write(key, number, number) for number, key in enumerate(keys)]
    left = coalesced(writes)
    assert {write.key: write.value for write in left} == {w.key: w.value for w in writes}
    assert [write.version for write in left] == sorted({w.key: w.version for w in writes}.values())


@given(ids=st.lists(st.tuples(st.integers(0, 2**42), st.integers(0, 2**20 - 1)), min_size=2))
def test_versions_are_in_the_order_of_ids(ids: list[tuple[int, int]]) -> None:
    """And fit a signed bigint."""
    versions = [version_of(b"%d-%d" % each) for each in sorted(ids)]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(set(ids))
    assert versions[-1] < 2**63
