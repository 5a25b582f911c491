"""The one value that means "there is none", because None is a value like any other."""

from enum import Enum
from typing import Final, Literal


class Missing(Enum):
    """Stand for no value."""

    MISSING = "MISSING"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
"""What a read returns for a key that is not there, when it is asked to tell."""
