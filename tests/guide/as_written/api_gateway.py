"""The guide's API gateway in Python, statement by statement, and its nginx.conf as it stands.

Guide: chapter 1, `APIGateway`; chapter 3, nginx.conf. The servers of the configuration are the
caller's, one method is left of the three (nginx keeps one anyway). Three settings say what was the
default of every nginx of the guide's time; nginx 1.31 has other ones.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Service = Mapping[str, Callable[[Any], Awaitable[str]]]

NGINX_LOCATION = """
location / {
    proxy_pass http://backend;
    proxy_http_version 1.0;
    proxy_set_header Connection close;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

    proxy_connect_timeout 5s;
    proxy_send_timeout 10s;
    proxy_read_timeout 10s;
}
"""


def nginx_upstream(address: str) -> str:
    """Return the guide's upstream with one server."""
    return f"upstream backend {{ server {address} max_fails=3 fail_timeout=30s; keepalive 0; }}"


class Error(Exception):
    """JavaScript's `Error`."""


class APIGateway:
    """Route requests to services."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self.services = services

    async def route_request(self, path: str, method: str, data: Mapping[str, Any]) -> str:
        """Route one request."""
        del method  # the guide takes it and never looks at it
        service, endpoint = self.parse_path(path)

        if service not in self.services:
            raise Error(f"Service {service} not found")

        await self.authenticate(data.get("token"))

        return await self.services[service][endpoint](data)

    def parse_path(self, path: str) -> tuple[str | None, str | None]:
        """Return service and endpoint."""
        parts = [part for part in path.split("/") if part]
        return (parts[1] if len(parts) > 1 else None), (parts[2] if len(parts) > 2 else None)

    async def authenticate(self, token: Any) -> None:
        """Let everybody in: the guide shows no more."""
