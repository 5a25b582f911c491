"""Rules name keys of one entity and of no other."""

import pytest

from loadpath.cache.glob import matcher
from loadpath.cache.rules import InvalidationRules


def test_the_guides_rule() -> None:
    """The user, the profile, the preferences."""
    rules = InvalidationRules()
    rules.register_rule("user", ["user:{id}", "user:{id}:profile", "user:{id}:preferences"])
    assert rules.affected("user", 1) == (["user:1", "user:1:profile", "user:1:preferences"], [])


def test_patterns_are_the_templates_not_the_ids() -> None:
    """A star in a template means many keys, in an id itself."""
    rules = InvalidationRules()
    rules.register_rule("user", ["user:{id}", "user:{id}:*"])
    keys, patterns = rules.affected("user", "*")
    assert keys == ["user:*"]
    (pattern,) = patterns
    assert matcher(pattern)("user:*:profile")
    assert not matcher(pattern)("user:1:profile")


def test_an_unknown_kind_is_an_error() -> None:
    """Invalidating nothing in silence would leave stale values."""
    rules = InvalidationRules()
    rules.register_rule("user", ["user:{id}"])
    with pytest.raises(LookupError, match=r"'order'.*user"):
        rules.affected("order", 1)


@pytest.mark.parametrize(
    "templates",
    [
        [],
        "user:{id}",
        ["user"],
        ["{name}"],
        ["{id}:{x}"],
        ["{id"],
        ["{id!r}"],
        ["{id:>3}{id}"],
        [""],
    ],
)
def test_a_template_that_makes_no_sense_is_refused(templates: list[str]) -> None:
    """When it is registered."""
    with pytest.raises(ValueError, match="template"):
        InvalidationRules().register_rule("user", templates)
