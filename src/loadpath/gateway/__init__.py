"""The front door as a process: routes, identity, limits, balancing, one admin page.

`loadpath gateway run -c gateway.toml` runs it with workers, reload and admin API; `Gateway` runs
one inside a program of your own.

Guide: chapter 1, "API Gateway 패턴", and chapter 3, "Nginx 로드 밸런싱 설정".
"""

from loadpath.gateway.errors import CertificateError, PortTakenError, ReloadError
from loadpath.gateway.exchange import (
    AnswerHead,
    Exchange,
    Filter,
    Principal,
    Reply,
    Transform,
)
from loadpath.gateway.gateway import Gateway
from loadpath.gateway.reading import missing_files, problems, read_settings
from loadpath.gateway.settings.gateway import GatewaySettings

__all__ = [
    "AnswerHead",
    "CertificateError",
    "Exchange",
    "Filter",
    "Gateway",
    "GatewaySettings",
    "PortTakenError",
    "Principal",
    "ReloadError",
    "Reply",
    "Transform",
    "missing_files",
    "problems",
    "read_settings",
]
