"""EDN is read as its specification says."""

from contextlib import suppress
from fractions import Fraction
from math import inf, isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.caplab.history.edn import forms, value_of
from loadpath.caplab.history.errors import HistoryError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("false", False),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("12N", 12),
        ("1.5", 1.5),
        ("1.5M", 1.5),
        ("1e3", 1000.0),
        ("3/4", Fraction(3, 4)),
        ("##Inf", inf),
        ("##-Inf", -inf),
        (":read", "read"),
        (":a.b/c", "a.b/c"),
        ("::local", "local"),
        ("symbol", "symbol"),
        ("-", "-"),
        (r'"a\n\"\\\u0041"', 'a\n"\\A'),
        (r"\a", "a"),
        (r"\newline", "\n"),
        (r"\u0041", "A"),
        (r"\u", "u"),
        (r"\o101", "A"),
        (r"\(", "("),
        ("[1 [2 (3)]]", (1, (2, (3,)))),
        ("#{1 2}", frozenset({1, 2})),
        ("{:a 1, :b {2 3}}", {"a": 1, "b": {2: 3}}),
        ("{[1 2] 3}", {(1, 2): 3}),
        ("#{{:a 1}}", ({"a": 1},)),
        ('#inst "2020"', "2020"),
        ("#jepsen.history.Op{:index 0}", {"index": 0}),
        ("[1 #_2 3]", (1, 3)),
        ("[1 #_ #_ 2 3 4]", (1, 4)),
        ("[#_#tag 1 2]", (2,)),
        ("[#tag #_1 2]", (2,)),
        ("; first\n[1 ; one\n 2]", (1, 2)),
        (",,1,,", 1),
        ("{}", {}),
    ],
)
def test_a_value_is_plain_data(text: str, value: Any) -> None:
    """Keywords are strings, vectors and lists tuples, a tagged value is its value."""
    assert value_of(text) == value


def test_nan_is_read() -> None:
    """It equals nothing, itself included."""
    assert isnan(value_of("##NaN"))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[1\n2", 1, "never closed"),
        ("[1\n2)", 2, "closes nothing"),
        ("]", 1, "closes nothing"),
        ("{:a 1\n:b}", 1, "without a value"),
        ("\n\n1x", 3, "1x"),
        ('"open', 1, "cannot be read"),
        (r'"\q"', 1, "no EDN"),
        (r"\unknown", 1, "no EDN"),
        (":", 1, "no EDN"),
        ("1/0", 1, "no EDN"),
        ("##Nan", 1, "no EDN"),
        ("[#_]", 1, "no value after"),
        ("1 #tag", 1, "no value after"),
        ("{{} 1}", 1, "key of a map"),
    ],
)
def test_what_is_no_edn_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    """The message names the file and the line."""
    with pytest.raises(HistoryError, match=says) as refused:
        list(forms(text, name="history.edn"))
    assert refused.value.line == line
    assert str(refused.value).startswith(f"history.edn:{line}: ")


def test_one_value_is_one() -> None:
    """Two or none are refused."""
    for text in ("", "1 2"):
        with pytest.raises(HistoryError, match="expected one value"):
            value_of(text)


def test_a_vector_around_everything_is_looked_into_when_asked() -> None:
    """So that each operation has its line."""
    assert list(forms("[1\n\n[2]]", inside=True)) == [(1, 1), ((2,), 3)]
    assert list(forms("1\n[2]", inside=True)) == [(1, 1), ((2,), 2)]
    assert list(forms("[1]")) == [((1,), 1)]


def test_nesting_costs_no_stack() -> None:
    """However deep it is."""
    value = value_of("[" * 100_000 + "]" * 100_000)
    for _ in range(99_999):
        (value,) = value
    assert value == ()


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab \\"\n', max_size=5),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


def shown(value: Any) -> str:
    """Write a value as EDN."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    return (
        {None: "nil", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, int) or isinstance(value, bool)
        else str(value)
    )


@given(DATA)
def test_what_is_written_is_read(value: Any) -> None:
    """Reading is the inverse of writing."""
    assert value_of(shown(value)) == value


@given(st.text('{}[]()#_:;"\\ \n1ab/N', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and it ends."""
    with suppress(HistoryError):
        list(forms(text))
