"""The gateway before the HTTP processes: what its settings file says.

A process that is killed is found out by the next request or check, and is back within a second of
answering; what was safe to send again is sent to another one meanwhile.
"""

import json
from collections.abc import Sequence

from loadpath.systems.timeline.settings import ApiSettings

_TEMPLATE = """\
workers = {workers}
listeners = [{{host = {host}, port = {port}}}]
admin = {{host = "127.0.0.1", port = {admin}}}
log = {{access = ""}}
limits = {{body = {body}, connections = 20000}}
timeouts = {{drain = 8.0}}

[upstreams.timeline]
endpoints = [{endpoints}]
policy = "least_connections"
keepalive = 256
connections = 1024
health = {{path = "/health", interval = 1.0, timeout = 2.0, fall = 2, rise = 1}}
passive = {{max_fails = 3, fail_timeout = 1.0}}
timeouts = {{read = 30.0}}

[[routes]]
name = "timeline"
targets = [{{upstream = "timeline"}}]
"""


def front_settings(api: ApiSettings, ports: Sequence[int], *, admin: int) -> str:
    """Return the gateway's settings as TOML.

    Args:
        api: Where clients connect, and what they may send.
        ports: Where the HTTP processes listen, on the same host.
        admin: Loopback port of the gateway's admin API.
    """
    endpoints = ", ".join(f'{{address = "{_address(api.host, port)}"}}' for port in ports)
    return _TEMPLATE.format(
        workers=1,
        host=json.dumps(api.host),
        port=api.port,
        admin=admin,
        body=api.max_body,
        endpoints=endpoints,
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
