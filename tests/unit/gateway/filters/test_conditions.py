"""Conditional requests and ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.filters.conditions import (
    Outcome,
    RangeNotSatisfiableError,
    http_date,
    outcome,
    wanted_range,
)

ETAG = b'"a-1"'
CHANGED = 1_700_000_000
BEFORE, AT, AFTER = (http_date(CHANGED + step) for step in (-1, 0, 1))


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ({}, "send"),
        ({b"if-none-match": ETAG}, "not_modified"),
        ({b"if-none-match": b"W/" + ETAG}, "not_modified"),
        ({b"if-none-match": b'"x", ' + ETAG}, "not_modified"),
        ({b"if-none-match": b"*"}, "not_modified"),
        ({b"if-none-match": b'"x"', b"if-modified-since": AFTER}, "send"),
        ({b"if-modified-since": BEFORE}, "send"),
        ({b"if-modified-since": AT}, "not_modified"),
        ({b"if-modified-since": AFTER}, "not_modified"),
        ({b"if-modified-since": b"yesterday"}, "send"),
        ({b"if-modified-since": b"Tue, 99 Foo 99999 99:99:99 GMT"}, "send"),
        ({b"if-match": ETAG}, "send"),
        ({b"if-match": b"W/" + ETAG}, "failed"),
        ({b"if-match": b'"x"'}, "failed"),
        ({b"if-match": b"*"}, "send"),
        ({b"if-match": ETAG, b"if-unmodified-since": BEFORE}, "send"),
        ({b"if-unmodified-since": BEFORE}, "failed"),
        ({b"if-unmodified-since": AT}, "send"),
        ({b"if-match": ETAG, b"if-none-match": ETAG}, "not_modified"),
    ],
)
def test_conditions_in_the_order_of_the_rfc(index: dict[bytes, bytes], expected: Outcome) -> None:
    """ETags are asked before dates, and `If-Match` compares strongly."""
    assert outcome(index, etag=ETAG, modified=CHANGED) == expected


@pytest.mark.parametrize(
    ("written", "part"),
    [
        (b"bytes=0-0", (0, 0)),
        (b"bytes=5-", (5, 99)),
        (b"bytes=5-1000", (5, 99)),
        (b"bytes=-7", (93, 99)),
        (b"bytes=-1000", (0, 99)),
        (b"Bytes= 5-6 ", (5, 6)),
        (b"bytes=6-5", None),
        (b"bytes=-", None),
        (b"bytes=a-b", None),
        (b"bytes=0-1,4-5", None),
        (b"items=0-1", None),
        (b"bytes=0-" + b"9" * 5_000, None),
    ],
)
def test_one_part_or_all(written: bytes, part: tuple[int, int] | None) -> None:
    """What is no single range of bytes is answered with everything."""
    assert wanted_range({b"range": written}, 100, etag=ETAG, modified=CHANGED) == part


@pytest.mark.parametrize("written", [b"bytes=100-", b"bytes=100-200", b"bytes=-0"])
def test_a_part_behind_the_end_cannot_be_had(written: bytes) -> None:
    """It is refused, so that a client learns the size."""
    with pytest.raises(RangeNotSatisfiableError):
        wanted_range({b"range": written}, 100, etag=ETAG, modified=CHANGED)


@pytest.mark.parametrize(
    ("if_range", "still"),
    [(ETAG, True), (AT, True), (b"W/" + ETAG, False), (b'"x"', False), (BEFORE, False)],
)
def test_a_part_must_fit_to_what_the_client_has(if_range: bytes, *, still: bool) -> None:
    """`If-Range` compares strongly, a date exactly; else everything is sent."""
    index = {b"range": b"bytes=0-1", b"if-range": if_range}
    found = wanted_range(index, 100, etag=ETAG, modified=CHANGED)
    assert (found is not None) is still


@given(size=st.integers(1, 1_000), begin=st.integers(0, 1_200), end=st.integers(0, 1_200))
def test_a_part_lies_inside(size: int, begin: int, end: int) -> None:
    """Whatever is asked, what is served lies inside the file and begins where it was asked."""
    index = {b"range": b"bytes=%d-%d" % (begin, end)}
    try:
        found = wanted_range(index, size, etag=ETAG, modified=CHANGED)
    except RangeNotSatisfiableError:
        assert begin >= size
        return
    if found is None:
        assert end < begin
    else:
        assert found == (begin, min(end, size - 1))
        assert begin <= found[1] < size


@given(junk=st.binary(max_size=60))
def test_no_field_breaks_it(junk: bytes) -> None:
    """Whatever a client writes into its conditions gets an answer."""
    names = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
    for name in names:
        outcome({name: junk}, etag=ETAG, modified=CHANGED)
    for name in (b"range", b"if-range"):
        try:
            wanted_range({b"range": b"bytes=0-1", name: junk}, 9, etag=ETAG, modified=CHANGED)
        except RangeNotSatisfiableError:
            assert name == b"range"
