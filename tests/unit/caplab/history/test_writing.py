"""What is written is read again."""

import io

from hypothesis import given
from hypothesis import strategies as st

from loadpath.caplab.history import History, Op, read_text, write

VALUES = st.none() | st.integers(-(2**53), 2**53) | st.tuples(st.integers(0, 9), st.text("ab"))
OPS = st.builds(
    Op,
    type=st.sampled_from(["invoke", "ok", "fail", "info"]),
    f=st.sampled_from(["read", "write"]),
    process=st.integers(0, 9),
    value=VALUES,
    time=st.none() | st.integers(0, 10**13).map(lambda ns: ns / 1e9),
    error=st.none() | st.just("timeout"),
)


@given(st.lists(OPS, min_size=1, max_size=10))
def test_json_lines_come_back(ops: list[Op]) -> None:
    """Every field, times to the nanosecond."""
    history, file = History(ops), io.BytesIO()
    write(history, file)
    again = read_text(file.getvalue().decode())
    assert [(o.type, o.f, o.process, o.value, o.time, o.error) for o in history] == [
        (o.type, o.f, o.process, o.value, o.time, o.error) for o in again
    ]


def test_what_json_does_not_have_becomes_what_it_has() -> None:
    """Sets are arrays, keys are strings."""
    file = io.BytesIO()
    write([Op(type="ok", f="read", value={1: frozenset({2, 1})})], file)
    assert b'"value":{"1":[1,2]}' in file.getvalue()
