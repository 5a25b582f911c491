"""Which requests go where, and what happens to them on the way."""

from typing import Annotated

import msgspec
from msgspec import Meta

from loadpath.gateway.settings.bounds import Count, Name, Part, Share, Status, Text
from loadpath.gateway.settings.filters import (
    Addresses,
    Authorisation,
    Compression,
    Cors,
    HeaderRules,
    RateLimitSettings,
)

Path = Annotated[str, Meta(pattern="^/")]


class Match(Part, frozen=True):
    """Say which requests a route takes; every condition must hold.

    Attributes:
        hosts: `api.example.com`, `*.example.com` for any labels before it; empty for all.
        prefix: The path or a path below it: `/api` takes `/api` and `/api/user`, not `/apis`.
        exact: The path itself.
        regex: A pattern for the whole path; of `prefix`, `exact` and `regex` at most one.
        methods: Methods; empty for all.
        headers: Fields with the value each must have; `*` for any value.
    """

    hosts: tuple[Text, ...] = ()
    prefix: Path | None = None
    exact: Path | None = None
    regex: Text | None = None
    methods: tuple[Text, ...] = ()
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class Rewrite(Part, frozen=True):
    r"""Change what the upstream sees.

    Attributes:
        prefix: Stands where the prefix of the match stood.
        path: Stands for the whole path; with a regex match it may hold `\1` or `\g<name>`.
        host: What `Host` says; None keeps the client's.
    """

    prefix: Path | None = None
    path: Path | None = None
    host: Text | None = None


class Target(Part, frozen=True):
    """Send a share of a route's requests to an upstream.

    Attributes:
        upstream: Its name.
        weight: Share relative to the other targets; 0 sends none.
    """

    upstream: Name
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class Mirror(Part, frozen=True):
    """Send copies of requests elsewhere and forget the answers.

    Attributes:
        upstream: Where to.
        share: Of the requests.
    """

    upstream: Name
    share: Share = 1.0


class Static(Part, frozen=True):
    """Serve files.

    Attributes:
        root: Their folder; nothing outside it is served.
        index: File that stands for a folder; empty for none.
        precompressed: Serve `NAME.zst`, `.br` or `.gz` beside a file to clients that take it.
        cache_control: What `Cache-Control` says; empty for none.
    """

    root: Text
    index: str = "index.html"
    precompressed: bool = True
    cache_control: str = ""


class Respond(Part, frozen=True):
    """Answer at once.

    Attributes:
        status: Status code.
        body: Text of the answer.
        location: Where a redirect leads; empty for none.
    """

    status: Status = 200
    body: str = ""
    location: str = ""


class Route(Part, frozen=True):
    """Take some requests to one place: targets, files or a fixed answer.

    Attributes:
        name: Unique; logs and metrics carry it.
        match: Which requests. The most specific route wins: host, then exact before the longest
            prefix before patterns, then more conditions, then the order of the file.
        targets: Upstreams; several split the requests by weight.
        static: Files.
        respond: A fixed answer.
        rewrite: What the upstream sees.
        mirror: Copies.
        authorise: Who may use it; everybody without it.
        addresses: Which client addresses may.
        cors: Pages of other origins.
        rate_limit: How often.
        compress: Compression of answers; none without it.
        request_headers: Changes to the request.
        response_headers: Changes to the answer.
        max_body: Largest request body (bytes); None for the listeners' bound.
        upgrade: Whether WebSocket and other tunnels may be opened.
    """

    name: Name
    match: Match = Match()
    targets: tuple[Target, ...] = ()
    static: Static | None = None
    respond: Respond | None = None
    rewrite: Rewrite = Rewrite()
    mirror: Mirror | None = None
    authorise: Authorisation | None = None
    addresses: Addresses = Addresses()
    cors: Cors | None = None
    rate_limit: RateLimitSettings | None = None
    compress: Compression | None = None
    request_headers: HeaderRules = HeaderRules()
    response_headers: HeaderRules = HeaderRules()
    max_body: Count | None = None
    upgrade: bool = True
