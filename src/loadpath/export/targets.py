"""Every target by its name, loaded when it is asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Final, Literal

from loadpath.export.fates import Fates
from loadpath.gateway.settings.gateway import GatewaySettings

Target = Literal["nginx", "haproxy", "envoy", "kubernetes", "aws"]
TARGETS: Final[tuple[Target, ...]] = ("nginx", "haproxy", "envoy", "kubernetes", "aws")


def writer_of(target: Target) -> Callable[[GatewaySettings], str]:
    """Return what writes the file of a target."""
    writer: Callable[[GatewaySettings], str] = getattr(
        import_module(f"loadpath.export.{target}"), f"to_{target}"
    )
    return writer


def fates_of(target: Target) -> Fates:
    """Return what becomes of each field in a target."""
    fates: Fates = import_module(f"loadpath.export.{target}.fields").FATES
    return fates
