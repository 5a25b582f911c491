"""Where the gateway listens, what a client may send and how long it may take."""

from typing import Annotated

from msgspec import Meta

from loadpath.gateway.settings.bounds import Count, Part, Port, Seconds, Text


class Certificate(Part, frozen=True):
    """Name a certificate; the first one serves clients that name no host.

    Attributes:
        certificate: PEM file with the chain.
        key: PEM file with the private key.
        names: Hosts it is for, `*.example.com` for one label; empty takes those it carries.
    """

    certificate: Text
    key: Text
    names: tuple[Text, ...] = ()


class Listener(Part, frozen=True):
    """Say where clients connect.

    Attributes:
        host: Address to listen on.
        port: TCP port; all workers share it.
        tls: Certificates; none for plain HTTP.
    """

    host: Text = "127.0.0.1"
    port: Port = 8080
    tls: tuple[Certificate, ...] = ()


class ClientLimits(Part, frozen=True):
    """Bound what one client may send and hold.

    Attributes:
        request_line: Request line (bytes).
        head: Request line and fields together (bytes).
        fields: Header fields.
        body: Body of a request (bytes), unless a route says otherwise.
        connections: Open client connections of one worker.
    """

    request_line: Count = 8_192
    head: Count = 32_768
    fields: Count = 100
    body: Count = 1_048_576
    connections: Count = 10_000


class ClientTimeouts(Part, frozen=True):
    """Bound what a client makes the gateway wait for (s).

    Attributes:
        head: For a whole head, from its first byte.
        body: Between two pieces of a body.
        idle: Between two requests on one connection.
        write: For a client that takes no data.
        tunnel: Without a byte either way in a WebSocket or other tunnel.
        drain: For requests under way when the gateway stops or a worker is replaced.
    """

    head: Seconds = 10.0
    body: Seconds = 30.0
    idle: Seconds = 75.0
    write: Seconds = 30.0
    tunnel: Seconds = 300.0
    drain: Seconds = 30.0


class Admin(Part, frozen=True):
    """Say where the admin API and page listen.

    Attributes:
        host: Address; loopback unless you know better.
        port: TCP port.
    """

    host: Text = "127.0.0.1"
    port: Port = 8081


class Log(Part, frozen=True):
    """Say where the access log goes, one JSON object a line.

    Attributes:
        access: File, `-` for standard output, empty for none.
    """

    access: str = "-"


Network = Annotated[str, Meta(min_length=2)]
"""An IP address or a network such as `10.0.0.0/8`."""
