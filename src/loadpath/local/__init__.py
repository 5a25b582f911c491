"""Start, own and stop real servers on this machine; they vanish with their owner.

Guide: every chapter runs on these servers; "실제 대규모 시스템 설계 사례" (large systems) first.
"""

from loadpath.local.errors import (
    ExtraMissingError,
    FolderError,
    FolderInUseError,
    ProgramMissingError,
    ServerError,
)
from loadpath.local.facts import Facts
from loadpath.local.folders import Workspace, workspace
from loadpath.local.nginx_server import Nginx, nginx
from loadpath.local.postgresql import Postgres, postgres
from loadpath.local.probes import http_ready, tcp_ready
from loadpath.local.process import Child, Plan, run
from loadpath.local.programs import Finding, Program, survey
from loadpath.local.replication import PostgresCluster, postgres_cluster
from loadpath.local.sentinels import ValkeySentinel, valkey_sentinel
from loadpath.local.valkey_group import ValkeyCluster, valkey_cluster
from loadpath.local.valkey_server import Valkey, valkey

__all__ = [
    "Child",
    "ExtraMissingError",
    "Facts",
    "Finding",
    "FolderError",
    "FolderInUseError",
    "Nginx",
    "Plan",
    "Postgres",
    "PostgresCluster",
    "Program",
    "ProgramMissingError",
    "ServerError",
    "Valkey",
    "ValkeyCluster",
    "ValkeySentinel",
    "Workspace",
    "http_ready",
    "nginx",
    "postgres",
    "postgres_cluster",
    "run",
    "survey",
    "tcp_ready",
    "valkey",
    "valkey_cluster",
    "valkey_sentinel",
    "workspace",
]
