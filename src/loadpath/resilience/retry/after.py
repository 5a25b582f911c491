"""Read the `Retry-After` header field, in both of its forms. Pure.

Source: RFC 9110 §10.2.3 (seconds or a date), §5.6.7 (dates).
"""

import re
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the wait that a server asks for (s), None when it cannot be understood.

    Args:
        value: The field's value.
        now: Wall-clock time (Unix s), which a date is compared with.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
