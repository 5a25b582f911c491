"""What an upstream tells whoever listens, as frozen Structs.

`Retrying`, `GaveUp`, `BreakerChanged` and `BreakerRejected` come as `resilience` tells them, under
the name of the upstream or the address of the endpoint.
"""

import msgspec


class EndpointsChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a new set of endpoints serves.

    Attributes:
        upstream: The upstream.
        added: Addresses that are new.
        removed: Addresses that are gone.
        total: Endpoints of the new set.
    """

    upstream: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    total: int


class ResolveFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that endpoints could not be resolved; the last good set stays.

    Attributes:
        upstream: The upstream.
        reason: Where they were looked for, and why they were not found.
    """

    upstream: str
    reason: str


class AttemptFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that one endpoint failed a call.

    Attributes:
        upstream: The upstream.
        endpoint: Its address.
        attempt: Which attempt of the call it was, 1 for the first.
        reason: What happened.
    """

    upstream: str
    endpoint: str
    attempt: int
    reason: str
