"""What a resolver is: a stream of sets of endpoints."""

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from loadpath.balance import EndpointSet
from loadpath.upstream.errors import ResolveError

Stream = AsyncGenerator[EndpointSet | ResolveError, None]


@runtime_checkable
class Resolver(Protocol):
    """Tell where a service's endpoints are, now and whenever that changes."""

    def watch(self) -> Stream:
        """Give a first set, then each set that differs from the one before.

        Where none can be read, a `ResolveError` is given instead of a set: the last one stays. An
        empty set is never given. Closing the stream ends the watching.
        """
        ...
