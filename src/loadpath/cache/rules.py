"""Which keys change with an entity: `user` 42 means `user:42`, `user:42:profile` and so on.

A rule is a template with one field, `{id}`; `*` and `?` in it mean a pattern, in an id they do not.
"""

from collections.abc import Sequence

from loadpath.cache.glob import is_literal, literal, matcher, plain


class InvalidationRules:
    """Remember the rules of each kind of entity."""

    def __init__(self) -> None:
        self._rules: dict[str, tuple[str, ...]] = {}

    def register_rule(self, entity: str, templates: Sequence[str]) -> None:
        """Say which keys belong to a kind of entity; a later call replaces an earlier one.

        Raises:
            ValueError: A template has another field than `{id}`, has none, or is no pattern; or
                there is no template.
        """
        if isinstance(templates, str) or not templates:
            raise ValueError(f"templates of {entity!r} must be a list of texts, not {templates!r}")
        for template in templates:
            _check(template)
        self._rules[entity] = tuple(templates)

    def affected(self, entity: str, id_: str | int) -> tuple[list[str], list[str]]:
        """Return the keys and the patterns that belong to an entity.

        Raises:
            LookupError: There is no rule for this kind of entity.
        """
        if entity not in self._rules:
            known = ", ".join(sorted(self._rules)) or "none"
            raise LookupError(f"no rule for {entity!r}: register_rule() it; known are: {known}")
        filled = [t.replace("{id}", literal(str(id_))) for t in self._rules[entity]]
        keys = [plain(pattern) for pattern in filled if is_literal(pattern)]
        return keys, [pattern for pattern in filled if not is_literal(pattern)]


def _check(template: str) -> None:
    rest = template.replace("{id}", "")
    if "{id}" not in template or "{" in rest or "}" in rest:
        raise ValueError(f"the template {template!r} must have the field {{id}} and no other brace")
    matcher(template.replace("{id}", "x"))
