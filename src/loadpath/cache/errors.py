"""What a cache tells its caller; that a layer failed is counted and never told."""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that a part needs."""

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} needs its extra: pip install 'loadpath[cache]'")


class DatabaseUnavailableError(RejectedError, ConnectionError):
    """Report that PostgreSQL cannot be reached; nothing was written."""


class DatabaseInDoubtError(InDoubtError, ConnectionError):
    """Report that PostgreSQL gave no answer: what was asked may be done; asking again is safe."""


class NotOpenError(RejectedError, RuntimeError):
    """Refuse work of a cache that is not open: use `async with`."""


class NotStorableError(LoadpathError, TypeError):
    """Refuse a value that cannot be sent to the shared layer.

    Args:
        name: Name of its type.
        cause: What the codec says.
    """

    def __init__(self, name: str, cause: Exception) -> None:
        super().__init__(
            f"a {name} cannot be stored in L2 ({cause}): "
            "return builtin types, dataclasses or msgspec Structs"
        )


class UndecodableError(LoadpathError, ValueError):
    """Report data in the shared layer that is not an entry of this cache."""


class FactoryTimeoutError(LoadpathError, TimeoutError):
    """Report a factory that was cancelled because it took longer than its hard timeout."""


class KeyArgumentError(LoadpathError, TypeError):
    """Refuse an argument that cannot be part of a key without two calls sharing one."""


class NotTrackingError(LoadpathError, ValueError):
    """Refuse a client that would never hear a change.

    Args:
        prefix: The prefix of the cache.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(
            f"the connection does not track {prefix!r}: make the client with "
            f"RespClient(…, begin=tracking({prefix!r}))"
        )


class TooManyWritesError(RejectedError, RuntimeError):
    """Refuse a write because the queue holds as many as it may.

    Args:
        limit: Most writes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} writes wait already: the database must catch up first")
