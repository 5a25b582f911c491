"""A rate in the two units that nginx has."""

from loadpath.gateway.settings.filters import RateLimitSettings

_CLOSE = 1e-9


def rate_of(limit: RateLimitSettings) -> str | None:
    """Return `3r/s` or `90r/m`, None when neither is whole."""
    for unit, length in (("s", 1.0), ("m", 60.0)):
        rate = limit.limit * length / limit.period
        if rate >= 1 and abs(rate - round(rate)) < _CLOSE * rate:
            return f"{round(rate)}r/{unit}"
    return None
