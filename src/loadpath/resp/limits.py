"""How long a connection may take and how much it may hold."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound a connection in time and size.

    Attributes:
        connect_timeout: Seconds until a new connection must be ready: TCP, TLS, HELLO, SELECT.
        read_timeout: Seconds without a byte while replies are due, after which the server counts
            as stalled and the connection is dropped.
        keepalive: Idle seconds after which the server is asked whether it is still there.
        max_in_flight: Most commands sent and not answered, cancelled ones included.
        max_waiting: Most commands that wait for a place among them; more are refused.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 5.0
    keepalive: float = 15.0
    max_in_flight: int = 10_000
    max_waiting: int = 10_000

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "read_timeout", "keepalive"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} must be above 0 s and finite, not {getattr(self, name)}")
        if self.max_in_flight < 1 or self.max_waiting < 0:
            raise ValueError(f"max_in_flight must be at least 1, max_waiting at least 0: {self}")
