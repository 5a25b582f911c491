"""One route as it runs: made once when settings are read, so that a request makes nothing anew."""

from collections.abc import Awaitable, Callable, Mapping
from random import Random

from loadpath.gateway.exchange import AnswerHead, Exchange, Filter, Reply
from loadpath.gateway.passing.fields import FieldRules
from loadpath.gateway.routing.rewriting import Rewriting
from loadpath.gateway.routing.splits import Split
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.gateway.serving.mirrors import Mirror
from loadpath.gateway.serving.services import Service
from loadpath.gateway.settings.routes import Respond, Route
from loadpath.http import RequestHead

Answerer = Callable[[Exchange], Reply | Awaitable[Reply]]
"""Answers a request itself: files, a fixed answer."""


class LiveRoute:
    """Hold what serving a route needs.

    Args:
        route: What it is.
        services: The upstreams by name.
        filters: Who takes part, in order.
        answerer: Who answers in place of upstreams, None for the targets or the fixed answer.
        figures: Where its requests are counted.
        random: Where chance comes from.
        most: Largest body of a request (bytes).

    Attributes:
        name: Its name.
        route: What it is.
        filters: Who takes part, in order.
        split: Its targets, None where it answers itself.
        rewriting: What upstreams are asked.
        host: What `Host` says to upstreams, None for what the client asked.
        request_rules: Changes to fields of the request.
        response_rules: Changes to fields of the answer.
        mirror: Copies, None for none.
        figures: Where its requests are counted.
        most: Largest body of a request (bytes).
        answerer: Who answers in place of upstreams, None where there are targets.
    """

    __slots__ = (
        "answerer",
        "figures",
        "filters",
        "host",
        "mirror",
        "most",
        "name",
        "request_rules",
        "response_rules",
        "rewriting",
        "route",
        "split",
    )

    def __init__(
        self,
        route: Route,
        services: Mapping[str, Service],
        *,
        filters: tuple[Filter, ...],
        answerer: Answerer | None,
        figures: RouteFigures,
        random: Random,
        most: int,
    ) -> None:
        self.name = route.name
        self.route = route
        self.filters = filters
        self.figures = figures
        targets = [(services[each.upstream], each.weight) for each in route.targets]
        self.split = Split(targets) if targets else None
        self.rewriting = Rewriting(route.match, route.rewrite)
        self.host = None if route.rewrite.host is None else route.rewrite.host.encode()
        self.request_rules = FieldRules(route.request_headers)
        self.response_rules = FieldRules(route.response_headers)
        self.most = route.max_body or most
        self.mirror = None
        if route.mirror is not None:
            mirrored = services[route.mirror.upstream]
            self.mirror = Mirror(mirrored, route.mirror.share, figures, random=random)
        if answerer is None and route.respond is not None:
            answerer = _fixed(route.respond)
        self.answerer = answerer

    def may_switch(self, head: RequestHead) -> bytes | None:
        """Return the protocol that a request may switch to, None for none.

        HTTP/2 in the clear is none: requests inside it would pass by the routes.
        """
        wanted = head.upgrade
        if wanted is None or not self.route.upgrade or head.length or head.method != b"GET":
            return None
        return None if b"h2c" in wanted.lower() else wanted


def _fixed(respond: Respond) -> Answerer:
    body = respond.body.encode()
    fields = [(b"Content-Type", b"text/plain; charset=utf-8")] if body else []
    if respond.location:
        fields.append((b"Location", respond.location.encode()))

    def answer(exchange: Exchange) -> Reply:
        del exchange
        head = AnswerHead(status=respond.status, fields=[*fields], length=len(body))
        return Reply(head=head, body=body)

    return answer
