"""Services behind the gateway: their endpoints, who picks one, what takes one out."""

from typing import Annotated, Literal

from msgspec import Meta

from loadpath.gateway.settings.bounds import Count, Name, Part, Seconds, Share, Text

PolicyName = Literal[
    "round_robin",
    "least_connections",
    "least_response_time",
    "random",
    "ip_hash",
    "ketama",
    "maglev",
]
"""One balancing method for each upstream; `round_robin` heeds weights, in nginx's order."""


class EndpointSettings(Part, frozen=True):
    """Name one server.

    Attributes:
        address: `host:port`.
        weight: Share relative to others.
        backup: Serve only when no other endpoint can.
        zone: Where it runs.
    """

    address: Text
    weight: Annotated[int, Meta(ge=1, le=256)] = 1
    backup: bool = False
    zone: str = ""


class HashKey(Part, frozen=True):
    """Say what `ketama` and `maglev` hash.

    Attributes:
        source: The client's address, the path, a header field or a cookie.
        name: Of the field or cookie.
    """

    source: Literal["client", "path", "header", "cookie"] = "client"
    name: str = ""


class HealthCheck(Part, frozen=True):
    """Ask each endpoint whether it serves.

    Attributes:
        path: What is asked.
        interval: Seconds between two checks.
        timeout: Seconds one may take.
        fall: Failures in a row that take an endpoint out.
        rise: Answers in a row that take it back.
        status: Statuses that are good; empty for 200-399.
    """

    path: Annotated[str, Meta(pattern=r"^/[!-~]*\Z")] = "/health"
    interval: Seconds = 10.0
    timeout: Seconds = 5.0
    fall: Count = 3
    rise: Count = 2
    status: tuple[Annotated[int, Meta(ge=100, le=599)], ...] = ()


class PassiveHealth(Part, frozen=True):
    """Take out endpoints that fail real traffic.

    Attributes:
        max_fails: Failures in a row that take an endpoint out; 0 never does.
        fail_timeout: Seconds it stays out, longer each time.
        max_ejected: Share of the endpoints that may be out.
    """

    max_fails: Annotated[int, Meta(ge=0)] = 5
    fail_timeout: Seconds = 30.0
    max_ejected: Share = 0.5


class Breaker(Part, frozen=True):
    """Stop calling an endpoint that fails.

    Attributes:
        failure_rate: Share of failed calls that opens it.
        minimum_calls: Calls that must be seen before.
        open_for: Seconds until trial calls.
        trial_calls: Calls let through then.
    """

    failure_rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    minimum_calls: Count = 20
    open_for: Seconds = 30.0
    trial_calls: Count = 5


class UpstreamTimeouts(Part, frozen=True):
    """Bound the waits for an endpoint (s); the guide's nginx settings.

    Attributes:
        connect: Until a connection is made.
        send: Without the endpoint taking any of what is sent.
        read: Without any of the answer coming.
        total: For everything, repetitions included; 0 for no bound.
    """

    connect: Seconds = 5.0
    send: Seconds = 10.0
    read: Seconds = 10.0
    total: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class Retries(Part, frozen=True):
    """Repeat what is safe to repeat, before the first byte of an answer only.

    Attributes:
        tries: Attempts together; 1 never repeats.
        budget: Share of the requests that may be repeated.
    """

    tries: Count = 3
    budget: Share = 0.2


class UpstreamTls(Part, frozen=True):
    """Speak TLS to the endpoints.

    Attributes:
        ca: PEM file of whom to trust; empty for the system's.
        server_name: Name their certificates must have; empty for their hosts.
    """

    ca: str = ""
    server_name: str = ""


class StickySettings(Part, frozen=True):
    """Keep a client at its endpoint by a cookie.

    Attributes:
        cookie: Its name.
        max_age: Seconds it lives; 0 for the browser's session.
    """

    cookie: Name = "route"
    max_age: Annotated[int, Meta(ge=0)] = 0


class Discovery(Part, frozen=True):
    """Find the endpoints somewhere else than in this file; one of the two.

    Attributes:
        file: File that is watched, in the format of `FileResolver`.
        dns: Name whose addresses are the endpoints.
        port: TCP port of the addresses of `dns`.
    """

    file: str = ""
    dns: str = ""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0


class UpstreamSettings(Part, frozen=True):
    """Describe one service.

    Attributes:
        endpoints: Its servers, unless `discovery` finds them.
        discovery: Where they are found.
        policy: Who is picked.
        hash: What policies by hash hash.
        health: Active checks; none without it.
        passive: Passive health.
        breaker: One for each endpoint; none without it.
        timeouts: How long to wait.
        retries: What is repeated.
        tls: TLS to the endpoints; none without it.
        sticky: Sticky cookie; none without it.
        keepalive: Idle connections kept for each endpoint.
        connections: Most connections to each endpoint.
        zone: The gateway's own zone, preferred where endpoints have one.
        slow_start: Seconds in which a recovered endpoint comes back to its full weight.
    """

    endpoints: tuple[EndpointSettings, ...] = ()
    discovery: Discovery | None = None
    policy: PolicyName = "round_robin"
    hash: HashKey = HashKey()
    health: HealthCheck | None = None
    passive: PassiveHealth = PassiveHealth()
    breaker: Breaker | None = None
    timeouts: UpstreamTimeouts = UpstreamTimeouts()
    retries: Retries = Retries()
    tls: UpstreamTls | None = None
    sticky: StickySettings | None = None
    keepalive: Count = 32
    connections: Count = 100
    zone: str = ""
    slow_start: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
