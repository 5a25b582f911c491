"""What becomes of each field of gateway.toml in a target: used, refused, or without meaning there.

Each target holds one table of fates. A path of the table, such as `upstreams.*.breaker`, decides
for everything below it that has no line of its own. A refused field is an error only where it
differs from its default: what nobody wrote, nobody asked for.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import NODEFAULT

from loadpath.export.errors import NotExpressibleError, Refusal
from loadpath.gateway.settings.gateway import GatewaySettings

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Fate(NamedTuple):
    """Say what becomes of a field.

    Attributes:
        kind: Whether the target's file says it.
        why: Why not.
        instead: What to do when it is refused.
    """

    kind: Literal["used", "refused", "meaningless"]
    why: str = ""
    instead: str = ""


Fates = Mapping[str, Fate]
USED: Final = Fate("used")


def refused(why: str, instead: str) -> Fate:
    """Return the fate of a field that the target lacks."""
    return Fate("refused", why, instead)


def meaningless(why: str) -> Fate:
    """Return the fate of a field that says nothing about the target."""
    return Fate("meaningless", why)


class Node(NamedTuple):
    """Hold one place in the settings.

    Attributes:
        pattern: Which field it is, as `routes[].name`.
        path: Where it stands, as `$.routes[0].name`.
        value: What stands there.
        default: What would be without it; `NODEFAULT` where there is none.
    """

    pattern: str
    path: str
    value: Any
    default: Any

    @property
    def written(self) -> bool:
        """Whether it differs from what would be without it."""
        return self.default is NODEFAULT or bool(self.value != self.default)


def fate_of(fates: Fates, pattern: str) -> Fate:
    """Return the fate of a field: its own line, or that of the nearest part it belongs to.

    Raises:
        KeyError: The table forgot it.
    """
    place = pattern
    while place:
        if place in fates:
            return fates[place]
        place = place[:-2] if place.endswith("[]") else place.rpartition(".")[0]
    raise KeyError(pattern)


def refusals(settings: GatewaySettings, fates: Fates) -> Iterator[Refusal]:
    """Give everything in settings that the table refuses, whole parts before their fields."""
    for node in _fields("", "$", settings):
        yield from _refused(node, fates)


def control_characters(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give every text with a control character: no configuration language can quote them all."""
    for node in _fields("", "$", settings):
        for leaf in _leaves(node):
            texts = leaf.value if isinstance(leaf.value, tuple | dict) else (leaf.value,)
            if any(_controls(each) for each in texts):
                yield Refusal(
                    path=leaf.path, why="it holds a control character", instead="remove it"
                )


def demand_expressible(target: str, found: Iterator[Refusal]) -> None:
    """Let settings pass that a target can express whole.

    Raises:
        NotExpressibleError: It cannot.
    """
    every = tuple(dict.fromkeys(found))
    if every:
        raise NotExpressibleError(target, every)


def step(name: str) -> str:
    """Return a table's name as a step of a path."""
    return f".{name}" if _BARE.fullmatch(name) else f".{msgspec.json.encode(name).decode()}"


def _controls(value: object) -> bool:
    return isinstance(value, str) and _CONTROL.search(value) is not None


def _refused(node: Node, fates: Fates) -> Iterator[Refusal]:
    fate = fates.get(node.pattern)
    below = list(_below(node))
    if fate is None and not below and node.written:
        fate = fate_of(fates, node.pattern)
    if fate is not None and fate.kind == "refused":
        if node.written:
            yield Refusal(path=node.path, why=fate.why, instead=fate.instead)
        return
    for each in below:
        yield from _refused(each, fates)


def _leaves(node: Node) -> Iterator[Node]:
    below = list(_below(node))
    if not below:
        yield node
    for each in below:
        yield from _leaves(each)


def _below(node: Node) -> Iterator[Node]:
    """Give the places that a place consists of; none for a plain value."""
    value = node.value
    if isinstance(value, msgspec.Struct):
        yield from _fields(node.pattern, node.path, value)
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for place, each in enumerate(value):
            yield Node(f"{node.pattern}[]", f"{node.path}[{place}]", each, NODEFAULT)
    elif isinstance(value, dict) and any(isinstance(e, msgspec.Struct) for e in value.values()):
        for name, each in value.items():
            yield Node(f"{node.pattern}.*", f"{node.path}{step(name)}", each, NODEFAULT)


def _fields(pattern: str, path: str, value: msgspec.Struct) -> Iterator[Node]:
    for field in msgspec.structs.fields(value):
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        inner = f"{pattern}.{field.name}" if pattern else field.name
        yield Node(inner, f"{path}.{field.name}", getattr(value, field.name), default)
