"""Settings of a gateway as gateway.toml: only what differs from the defaults is written."""

from typing import Any

import msgspec
from msgspec import NODEFAULT

from loadpath.export.extras import tomli_w
from loadpath.gateway.settings.gateway import GatewaySettings


def to_toml(settings: GatewaySettings) -> str:
    """Return settings as a TOML document that reads back as the same settings."""
    return tomli_w.dumps(_plain(settings))


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
            if _is_written(field, getattr(value, field.name))
        }
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _is_written(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    """Return whether a field must be written; TOML has no word for None."""
    if value is None:
        return False
    default = field.default
    if field.default_factory is not NODEFAULT:
        default = field.default_factory()
    return default is NODEFAULT or bool(value != default)
