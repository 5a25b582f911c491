"""Fencing over HTTP: a service refuses who comes with the token of an older lease. Pure.

A lock alone cannot stop a holder that was paused for longer than its lease: only what it writes to
can, by remembering the newest token that it has seen.

Source: M. Kleppmann, "How to do distributed locking" (2016).
"""

from loadpath.lock.errors import StaleTokenError

HEADER = "Fencing-Token"
"""The field that carries a token."""
LARGEST = 2**63 - 1


def token_of(header: str | None) -> int:
    """Return the token in a `Fencing-Token` field.

    Raises:
        ValueError: There is none, or it is no token: answer 400.
    """
    if header is None:
        raise ValueError(f"the field {HEADER} is missing: send the token of your lease")
    text = header.strip(" \t")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))):
        raise ValueError(f"{HEADER} must be a number without sign, not {text[:40]!r}")
    token = int(text)
    if not 0 < token <= LARGEST:
        raise ValueError(f"{HEADER} must be 1 to 2**63 - 1, not {text}")
    return token


def admit(header: str | None, newest: int) -> int:
    """Return the newest token that a resource has seen once this request is admitted.

    The same token is admitted again, so that a holder may write twice. Whoever asks keeps the
    result where it keeps the resource, in one transaction with the write.

    Args:
        header: The request's `Fencing-Token`.
        newest: The newest token that the resource had seen, 0 for none.

    Raises:
        StaleTokenError: A newer lease was here: answer 409.
        ValueError: There is no token, or none that can be read: answer 400.
    """
    token = token_of(header)
    if token < newest:
        raise StaleTokenError("this resource", token, newest)
    return token
