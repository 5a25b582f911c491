"""What a transfer is, and what its outcomes mean; pure.

A transfer takes from one account what it gives to another, in one record: entries cannot fail to
sum to zero. Money comes into the world from the issuer, whose balance is what all others have, with
the sign turned.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

ISSUER: Final = "@issuer"
MOST: Final = 10**15
"""Largest amount of one transfer, in minor units: a thousand of them fit a bigint."""

Outcome = Literal["done", "insufficient", "unknown-account", "void"]

_KEY = re.compile(r"[!-~]{1,255}")
_NAME = re.compile(r"@?[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Say who gives how much to whom.

    Attributes:
        key: Idempotency key: made up by whoever wants this transfer once.
        source: Account that gives.
        target: Account that gets.
        amount: Minor units (cents, won), above 0.
    """

    key: str
    source: str
    target: str
    amount: int

    def __post_init__(self) -> None:
        checked_key(self.key)
        checked_account("source", self.source)
        checked_account("target", self.target)
        if self.source == self.target:
            raise ValueError(f"target must be another account than source: {self.target!r}")
        if type(self.amount) is not int or not 0 < self.amount <= MOST:
            raise ValueError(
                f"amount must be a whole number of minor units, 1 to {MOST}: {self.amount!r}"
            )


def checked_key(key: str) -> str:
    """Return an idempotency key.

    Raises:
        ValueError: It is none.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"key must be 1 to 255 visible ASCII characters: {key!r}")
    return key


def checked_account(field: str, name: str) -> str:
    """Return the name of an account.

    Raises:
        ValueError: It is none; names the field.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{field} must be 1 to 64 letters, digits, '_', '.' or '-': {name!r}")
    return name


def acknowledgements(nodes: int) -> int:
    """Return how many standbys must have a commit: with the primary they are a majority."""
    return nodes // 2


def fenced_before_promotion(nodes: int) -> int:
    """Return how many standbys must be fenced before one of them may be promoted.

    So many that any `acknowledgements` of an old primary include a fenced one:
    k acknowledgements + q fenced > all standbys.
    """
    return nodes - 1 - acknowledgements(nodes) + 1
