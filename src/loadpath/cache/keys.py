"""From a function's arguments to a key, compiled once; two different calls never share a key.

A template such as `user:{id}` takes the arguments by name. A `:`, `%`, `*` or `?` inside an
argument is escaped, so that no argument reaches into its neighbour or means a pattern. Without a
template the key is the function's name and the arguments as Python writes them.
"""

import inspect
from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any, Final
from uuid import UUID

from loadpath.cache.errors import KeyArgumentError

KeyBuilder = Callable[[tuple[Any, ...], dict[str, Any]], str]
"""Returns the key of one call."""

_ESCAPES: Final = str.maketrans({c: f"%{ord(c):02X}" for c in ":%*?\\"})
_SCALARS: Final = (str, int, float, bool, bytes, UUID, type(None))


def key_builder(function: Callable[..., Any], template: str | None = None) -> KeyBuilder:
    """Return what builds the keys of a function's calls.

    Args:
        function: The function.
        template: Text with parameters of the function in braces; None: the function's name and
            every argument.

    Raises:
        ValueError: The template names what is no parameter, formats one, or names none although
            the function has some.
    """
    signature = inspect.signature(function)
    names = list(signature.parameters)
    if template is None:
        texts = [f"{function.__module__}.{function.__qualname__}:", *[","] * len(names)]
        return _builder(signature, names, texts, _written)
    return _builder(signature, _fields(template, names), _texts(template), _escaped)


def _builder(
    signature: inspect.Signature,
    fields: Sequence[str],
    texts: Sequence[str],
    written: Callable[[Any], str],
) -> KeyBuilder:
    """Return a builder that puts the fields between the texts."""
    names = list(signature.parameters)
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())
    in_order, count = plain and list(fields) == names, len(names)
    head, rest = texts[0], texts[1:]

    def build(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if not in_order or kwargs or len(args) != count:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments[field] for field in fields)
        key = head
        for value, text in zip(args, rest, strict=True):
            key += written(value) + text
        return key

    if not in_order or count != 1:
        return build
    (tail,) = rest

    def build_from_one(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if kwargs or len(args) != 1:
            return build(args, kwargs)
        return head + written(args[0]) + tail

    return build_from_one


def _fields(template: str, names: Sequence[str]) -> list[str]:
    found = []
    for _, field, spec, conversion in Formatter().parse(template):
        if field is None:
            continue
        if field not in names or spec or conversion:
            raise ValueError(
                f"{{{field}}} in {template!r} must be one of the parameters "
                f"{', '.join(names) or '(there are none)'}, without a format"
            )
        found.append(field)
    if names and not found:
        raise ValueError(f"{template!r} names no parameter: every call would share one key")
    return found


def _texts(template: str) -> list[str]:
    """Return what stands before, between and after the fields."""
    texts = [""]
    for text, field, _, _ in Formatter().parse(template):
        texts[-1] += text
        if field is not None:
            texts.append("")
    return texts


def _escaped(value: Any) -> str:
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return str(value) if value.isalnum() else value.translate(_ESCAPES)
    if isinstance(value, _SCALARS):
        return str(value).translate(_ESCAPES)
    raise _refused(value)


def _written(value: Any) -> str:
    kind = type(value)
    if kind in _SCALARS:
        return repr(value)
    if kind in (tuple, list):
        return f"({','.join(map(_written, value))},)"
    raise _refused(value)


def _refused(value: Any) -> KeyArgumentError:
    return KeyArgumentError(
        f"a {type(value).__name__} cannot be part of a key: pass text, a number, bytes, a UUID or "
        "None, or name the parameters that make the key in a template"
    )
