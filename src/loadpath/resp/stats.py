"""What a client counts."""

import msgspec


class RespStats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what a client did since it was made.

    Attributes:
        connected: Whether a connection is ready.
        connections: Connections that were ready.
        failures: Tries to connect that failed.
        commands: Commands put on a connection, its handshake aside.
        pushes: Messages that the server sent unasked.
        in_flight: Commands sent and not answered now, cancelled ones included.
        waiting: Commands that wait for a place now.
    """

    connected: bool
    connections: int
    failures: int
    commands: int
    pushes: int
    in_flight: int
    waiting: int
