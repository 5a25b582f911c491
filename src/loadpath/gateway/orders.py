"""What supervisor and workers tell each other. Pure.

Health is decided in two places and known in all: the supervisor checks every endpoint and tells
each worker how every check went, so that all count the same; a worker whose traffic ejects an
endpoint tells the supervisor, which tells the others.
"""

from typing import Literal

import msgspec

from loadpath.gateway.serving.figures import RouteFigures
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.upstream.snapshot import UpstreamSnapshot

Action = Literal["drain", "eject", "restore"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Be something that is told."""


# What the supervisor tells.


class Serve(Message, frozen=True):
    """Tell a worker its number, what to serve and which endpoints are drained, first of all."""

    worker: int
    settings: GatewaySettings
    drained: list[tuple[str, str]]


class Prepare(Message, frozen=True):
    """Ask for other settings to be made ready."""

    number: int
    settings: GatewaySettings


class Commit(Message, frozen=True):
    """Ask for what was made ready to be served; endpoints that are drained stay so."""

    number: int
    drained: list[tuple[str, str]]


class Discard(Message, frozen=True):
    """Ask for what was made ready to be thrown away."""

    number: int


class Checked(Message, frozen=True):
    """Tell how an active check went; the reason is empty when it was good."""

    upstream: str
    address: str
    reason: str


class Ejected(Message, frozen=True):
    """Tell that traffic has ejected an endpoint; told both ways."""

    upstream: str
    address: str


class Act(Message, frozen=True):
    """Ask for what an operator wants."""

    number: int
    action: Action
    upstream: str
    address: str


class Ask(Message, frozen=True):
    """Ask for the figures."""

    number: int


class Reopen(Message, frozen=True):
    """Ask for the access log to be opened anew."""


class Drain(Message, frozen=True):
    """Ask a worker to finish and end."""


# What a worker tells.


class Ready(Message, frozen=True):
    """Tell that it serves."""


class Done(Message, frozen=True):
    """Answer an order; the error is empty when it was carried out."""

    number: int
    error: str = ""


class WorkerFigures(Message, frozen=True, kw_only=True):
    """Answer with the figures of a worker.

    Attributes:
        number: Of the question.
        worker: Number of the worker.
        routes: What each route counted.
        unrouted: What was counted of requests that no route took.
        upstreams: Every upstream.
        connections: Open client connections.
        refused: Connections that were refused because there were too many.
        log_dropped: Lines of the access log that were not written.
    """

    number: int
    worker: int
    routes: dict[str, RouteFigures]
    unrouted: RouteFigures
    upstreams: dict[str, UpstreamSnapshot]
    connections: int
    refused: int
    log_dropped: int


Order = Serve | Prepare | Commit | Discard | Checked | Ejected | Act | Ask | Reopen | Drain
Report = Ready | Done | Ejected | WorkerFigures
