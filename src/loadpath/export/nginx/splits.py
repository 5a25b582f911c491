"""Shares of targets in hundredths of a percent, the last one taking what is left."""

from collections.abc import Sequence

from loadpath.gateway.settings.routes import Target

WHOLE = 10_000


def shares_of(targets: Sequence[Target]) -> list[int | None]:
    """Return the share of each target, None where one above 0 is too small to be said."""
    total = sum(each.weight for each in targets)
    shares = [round(each.weight * WHOLE / total) for each in targets]
    return [
        None if each.weight and not share else share
        for each, share in zip(targets, shares, strict=True)
    ]


def percent(share: int) -> str:
    """Return a share as nginx writes it."""
    whole, rest = divmod(share, WHOLE // 100)
    return f"{whole}.{rest:02}%"
