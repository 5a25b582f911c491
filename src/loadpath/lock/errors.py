"""What can go wrong with a lock: not had in time, no store, lost, left in doubt, or out of date."""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that a store needs."""

    def __init__(self) -> None:
        super().__init__("loadpath.lock.postgres needs its extra: pip install 'loadpath[lock]'")


class LockTimeout(LoadpathError, TimeoutError):
    """Report a lock that somebody else kept until the wait was over.

    Attributes:
        key: The lock.
    """

    def __init__(self, key: str, waited: float) -> None:
        super().__init__(f"{key!r} was not free in {waited:.3g} s: wait longer, or try later")
        self.key = key


class LockUnavailableError(RejectedError, ConnectionError):
    """Report that the store could not be asked; nothing is held."""


class TooFewReplicasError(LockUnavailableError):
    """Report a lease that counts for nothing, because too few replicas have it.

    Attributes:
        have: How many had it in time.
    """

    def __init__(self, key: str, have: int, wanted: int, within: float) -> None:
        super().__init__(f"{key!r}: {have} of {wanted} replicas had the lease in {within:g} s")
        self.have = have


class StoreInDoubtError(InDoubtError, ConnectionError):
    """Report a store that was asked and did not answer; asking again is safe."""


class LeaseLost(LoadpathError, RuntimeError):
    """Report a lease that can no longer be guaranteed: somebody else may hold the lock.

    Attributes:
        key: The lock.
        token: Fencing token of the lost lease.
    """

    def __init__(self, key: str, token: int, why: str) -> None:
        super().__init__(f"the lease on {key!r} (token {token}) is lost: {why}")
        self.key = key
        self.token = token


class ReleaseInDoubtError(InDoubtError, ConnectionError):
    """Report a release without an answer: the lock is free, or will be once its ttl has passed."""


class StaleTokenError(RejectedError, PermissionError):
    """Refuse a write by the holder of an older lease: it was not done.

    Attributes:
        token: The token of the writer.
        newest: The newest token that the resource has seen, None when it does not say.
    """

    def __init__(self, resource: str, token: int, newest: int | None = None) -> None:
        seen = "a newer one" if newest is None else str(newest)
        super().__init__(f"{resource}: token {token} is out of date, {seen} was here: acquire anew")
        self.token = token
        self.newest = newest
