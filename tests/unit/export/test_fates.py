"""Behaviour of exports as a whole: no field of gateway.toml is ever dropped in silence."""

import re
from typing import Any, get_args

import msgspec
import pytest

from loadpath.export import TARGETS, NotExpressibleError, Refusal, Target, fates_of, writer_of
from loadpath.export.fates import fate_of
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.unit.export.settings_walk import BASE, fields, with_other

FIELDS = dict(fields())


def result(target: Target, document: dict[str, Any]) -> tuple[str, frozenset[Refusal]]:
    """Return what a target makes of a document: its file, or what it refuses."""
    settings = msgspec.convert(document, GatewaySettings)
    try:
        return writer_of(target)(settings), frozenset()
    except NotExpressibleError as error:
        return "", frozenset(error.refusals)


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_walk_starts_from_is_expressible(target: Target) -> None:
    """Else a change could hide behind what is refused already."""
    text, refused = result(target, BASE)
    assert text
    assert not refused


@pytest.mark.parametrize("target", TARGETS)
def test_every_field_has_a_fate_in_every_target(target: Target) -> None:
    """A field that is new in gateway.toml must be decided upon, for each target."""
    for path in FIELDS:
        fate = fate_of(fates_of(target), path)
        assert fate.kind == "used" or fate.why


@pytest.mark.parametrize("target", TARGETS)
def test_no_fate_is_of_a_field_that_there_is_not(target: Target) -> None:
    """The tables name fields, or parts of them."""
    for path in fates_of(target):
        known = (path, f"{path}.", f"{path}[")
        assert any(each == path or each.startswith(known) for each in FIELDS), path


@pytest.mark.parametrize("target", TARGETS)
def test_every_field_is_used_refused_or_without_meaning(target: Target) -> None:
    """Another value changes the file or is refused, unless it means nothing there."""
    wrong = [path for path, kind in FIELDS.items() if not _as_told(target, path, kind)]
    assert not wrong


def _as_told(target: Target, path: str, kind: Any) -> bool:
    """Return whether a field meets its fate."""
    before, after = (result(target, each) for each in with_other(path, kind, target))
    fate = fate_of(fates_of(target), path).kind
    if fate == "meaningless":
        return before == after
    if fate == "refused":
        return any(_is_about(path, each.path) for each in after[1])
    return before != after


def _is_about(path: str, place: str) -> bool:
    """Return whether a place in the settings is a field, or a part that holds it."""
    said = re.sub(r"\[[0-9]+\]", "[]", place.removeprefix("$."))
    said = re.sub(r"^(upstreams|jwt)\.[a-z]+", r"\1.*", said)
    return path == said or path.startswith((f"{said}.", f"{said}["))


@pytest.mark.parametrize("target", TARGETS)
def test_a_refusal_tells_the_path_the_reason_and_the_next_step(target: Target) -> None:
    """A person can act on it; all of them come at once."""
    document: dict[str, Any] = {
        "upstreams": {"a": {"endpoints": [{"address": "127.0.0.1:1"}], "breaker": {"open_for": 5}}},
        "jwt": {"main": {"algorithms": ["HS256"], "secret_file": "/s"}},
        "routes": [
            {"name": "a", "targets": [{"upstream": "a"}], "authorise": {"by": ["main"]}},
        ],
    }
    settings = msgspec.convert(document, GatewaySettings)
    with pytest.raises(NotExpressibleError) as caught:
        writer_of(target)(settings)
    error = caught.value
    assert error.target == target
    assert {"$.upstreams.a.breaker", "$.routes[0].authorise"} <= {e.path for e in error.refusals}
    assert all(each.why and each.instead for each in error.refusals)
    assert all(str(each) in str(error) for each in error.refusals)


def test_the_targets_are_those_of_the_command_line() -> None:
    """One list says it."""
    assert get_args(Target) == TARGETS
