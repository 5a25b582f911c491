"""Two different calls have two different keys; the same call has one."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.errors import KeyArgumentError
from loadpath.cache.keys import key_builder

scalars = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats()


def two(a: Any, b: Any = 1) -> None:
    """Take two arguments."""


@given(left=st.tuples(st.text(), st.text()), right=st.tuples(st.text(), st.text()))
def test_no_argument_reaches_into_its_neighbour(
    left: tuple[str, str], right: tuple[str, str]
) -> None:
    """`("a:b", "c")` and `("a", "b:c")` differ."""
    build = key_builder(two, "k:{a}:{b}")
    assert (build(left, {}) == build(right, {})) is (left == right)


@given(left=st.tuples(scalars, scalars), right=st.tuples(scalars, scalars))
def test_without_a_template_types_count(left: tuple[Any, Any], right: tuple[Any, Any]) -> None:
    """1, "1", True and 1.0 are four keys."""
    build = key_builder(two)
    same = repr(left) == repr(right)
    assert (build(left, {}) == build(right, {})) is same


def test_names_defaults_and_order_make_no_difference() -> None:
    """However the call is written."""
    build = key_builder(two, "k:{b}:{a}")
    assert build((2,), {}) == build((2, 1), {}) == build((), {"b": 1, "a": 2}) == "k:1:2"


def test_a_template_needs_not_every_parameter() -> None:
    """A connection is no part of a key."""
    assert key_builder(two, "k:{b}")((object(), "x"), {}) == "k:x"
    assert key_builder(two, "{{k}}:{b}")((object(), "x"), {}) == "{k}:x"


def test_patterns_in_arguments_are_text() -> None:
    """An id that is a star does not become one."""
    assert key_builder(two, "k:{a}")(("*?:%\\",), {}) == "k:%2A%3F%3A%25%5C"


@pytest.mark.parametrize("value", [object(), {}, {1}, two])
def test_what_has_no_value_of_its_own_is_refused(value: object) -> None:
    """An object would be its address, another one in every process."""
    for template in (None, "k:{a}:{b}"):
        with pytest.raises(KeyArgumentError, match="cannot be part of a key"):
            key_builder(two, template)((value, 1), {})


def test_what_has_one_is_accepted() -> None:
    """Nested tuples, too."""
    assert key_builder(two, "{a}")((UUID(int=1),), {}) == str(UUID(int=1))
    build = key_builder(two)
    assert build(((1, ("a",)), 1), {}) != build(((1, "a"), 1), {})


@pytest.mark.parametrize("template", ["k:{c}", "k:{a!r}", "k:{a:>3}", "k", "k:{}"])
def test_a_template_that_does_not_fit_is_refused(template: str) -> None:
    """When the function is decorated, not when it is called."""
    with pytest.raises(ValueError, match="parameter"):
        key_builder(two, template)
