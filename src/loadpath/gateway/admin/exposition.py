"""Figures in Prometheus' text format. Pure.

Source: Prometheus' exposition formats, text version 0.0.4.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf
from typing import Literal, NamedTuple

from loadpath.gateway.admin.models import GatewayStatus
from loadpath.gateway.orders import WorkerFigures
from loadpath.gateway.serving.figures import BOUNDS, RouteFigures

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram"]
Labels = Mapping[str, str]


class Sample(NamedTuple):
    """Hold one line.

    Attributes:
        labels: Its labels.
        value: Its value.
        suffix: What follows the family's name.
    """

    labels: Labels
    value: float
    suffix: str = ""


def family(name: str, kind: Kind, about: str, samples: Iterable[Sample]) -> str:
    """Return one family of lines, nothing when it has none."""
    lines = [f"{name}{each.suffix}{_labels(each.labels)} {_number(each.value)}" for each in samples]
    if not lines:
        return ""
    about = about.replace("\\", "\\\\").replace("\n", "\\n")
    return "\n".join([f"# HELP {name} {about}", f"# TYPE {name} {kind}", *lines, ""])


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)


def histogram(labels: Labels, figures: RouteFigures) -> list[Sample]:
    """Return a route's durations: every bucket with those below it, the sum, the count."""
    running = list(accumulate(figures.buckets))
    bounds = [*(_number(each) for each in BOUNDS), "+Inf"]
    buckets = [
        Sample({**labels, "le": bound}, count, "_bucket")
        for bound, count in zip(bounds, running, strict=True)
    ]
    return [
        *buckets,
        Sample(labels, figures.seconds, "_sum"),
        Sample(labels, running[-1], "_count"),
    ]


def exposition(
    status: GatewayStatus, routes: Mapping[str, RouteFigures], told: Iterable[WorkerFigures]
) -> bytes:
    """Return everything that is counted."""
    told = list(told)
    parts = [
        *_of_routes(routes),
        *_of_upstreams(status),
        family(
            "loadpath_gateway_connections",
            "gauge",
            "Open client connections.",
            [Sample({}, sum(each.connections for each in told))],
        ),
        family(
            "loadpath_gateway_connections_refused_total",
            "counter",
            "Client connections refused because there were too many.",
            [Sample({}, sum(each.refused for each in told))],
        ),
        family(
            "loadpath_gateway_log_dropped_total",
            "counter",
            "Lines of the access log that were not written.",
            [Sample({}, sum(each.log_dropped for each in told))],
        ),
        family(
            "loadpath_gateway_workers",
            "gauge",
            "Worker processes by what they do.",
            [
                Sample({"state": state}, sum(each.state == state for each in status.workers))
                for state in ("starting", "serving", "gone")
            ],
        ),
        family(
            "loadpath_gateway_worker_restarts_total",
            "counter",
            "How often a worker was started again.",
            [Sample({}, sum(each.restarts for each in status.workers))],
        ),
        family(
            "loadpath_gateway_settings_generation",
            "gauge",
            "Readings of the settings that were taken over.",
            [Sample({}, status.generation)],
        ),
        family(
            "loadpath_gateway_settings_refused",
            "gauge",
            "1 while the settings file holds something that was refused.",
            [Sample({}, bool(status.problem))],
        ),
    ]
    return "".join(parts).encode()


def _of_routes(routes: Mapping[str, RouteFigures]) -> Iterable[str]:
    items = [({"route": name or "-"}, figures) for name, figures in sorted(routes.items())]
    yield family(
        "loadpath_gateway_requests_total",
        "counter",
        "Answered requests.",
        [
            Sample({**labels, "code": str(status)}, count)
            for labels, figures in items
            for status, count in sorted(figures.statuses.items())
        ],
    )
    yield family(
        "loadpath_gateway_request_duration_seconds",
        "histogram",
        "From the head of a request to the end of its answer.",
        [sample for labels, figures in items for sample in histogram(labels, figures)],
    )
    yield family(
        "loadpath_gateway_response_bytes_total",
        "counter",
        "Bytes of bodies sent to clients.",
        [Sample(labels, figures.sent) for labels, figures in items],
    )
    yield family(
        "loadpath_gateway_requests_under_way",
        "gauge",
        "Requests that are not answered yet.",
        [Sample(labels, figures.under_way) for labels, figures in items],
    )
    yield family(
        "loadpath_gateway_mirrored_total",
        "counter",
        "Copies of requests, by whether they were sent.",
        [
            Sample({**labels, "sent": sent}, count)
            for labels, figures in items
            for sent, count in (("yes", figures.mirrored), ("no", figures.mirrors_dropped))
            if count
        ],
    )


def _of_upstreams(status: GatewayStatus) -> Iterable[str]:
    upstreams = status.upstreams
    for field, about in (
        ("calls", "Requests that an upstream was asked."),
        ("repeated", "Repetitions."),
        ("failed", "Requests that no answer came to."),
    ):
        yield family(
            f"loadpath_gateway_upstream_{field}_total",
            "counter",
            about,
            [Sample({"upstream": each.name}, getattr(each, field)) for each in upstreams],
        )
    yield family(
        "loadpath_gateway_upstream_connections",
        "gauge",
        "Connections to endpoints.",
        [
            Sample({"upstream": each.name, "state": state}, count)
            for each in upstreams
            for state, count in (("idle", each.idle), ("busy", each.connections - each.idle))
        ],
    )
    endpoints = [
        ({"upstream": upstream.name, "endpoint": each.address}, each)
        for upstream in upstreams
        for each in upstream.endpoints
    ]
    for field, kind, about in (
        ("calls_total", "counter", "Attempts that were finished."),
        ("failures_total", "counter", "Attempts that failed."),
        ("in_flight", "gauge", "Requests that an endpoint carries."),
        ("weight", "gauge", "Weight of an endpoint."),
    ):
        yield family(
            f"loadpath_gateway_endpoint_{field}",
            "counter" if kind == "counter" else "gauge",
            about,
            [
                Sample(labels, getattr(each, field.removesuffix("_total")))
                for labels, each in endpoints
            ],
        )
    yield family(
        "loadpath_gateway_endpoint_latency_seconds",
        "gauge",
        "Peak-EWMA of an endpoint's answers.",
        [Sample(labels, each.latency) for labels, each in endpoints],
    )
    yield family(
        "loadpath_gateway_endpoint_up",
        "gauge",
        "1 where an endpoint serves; the label says why not.",
        [Sample({**labels, "state": each.state}, each.state == "up") for labels, each in endpoints],
    )
