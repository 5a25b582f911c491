"""What a bank says no with."""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class BankUnavailableError(RejectedError, ConnectionError):
    """Refuse what cannot be decided here now: nothing happened, trying again is safe."""


class TransferInDoubtError(InDoubtError, ConnectionError):
    """Report a transfer whose answer was lost: it may or may not have happened.

    Attributes:
        key: Its idempotency key; `resolve(key)` settles what happened.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"transfer {key!r} is in doubt ({why}): ask resolve({key!r})")
        self.key = key


class InsufficientFundsError(LoadpathError, ValueError):
    """Refuse, for good, a transfer of more than the account holds."""


class UnknownAccountError(LoadpathError, LookupError):
    """Refuse, for good, a transfer from or to an account that does not exist."""


class KeyReusedError(LoadpathError, ValueError):
    """Refuse a key that another transfer has."""


class TransferVoidError(LoadpathError, RuntimeError):
    """Refuse a transfer whose key was resolved as not having happened: it never will."""
