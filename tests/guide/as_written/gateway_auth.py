"""The guide's `APIGateway` of chapter 1 and how it authenticates, statement by statement.

`routeRequest(path, method, data)` gets nothing of a request but its path, method and data, so that
is where a token can stand. What `authenticate` does the guide leaves out: here it looks the token
up and throws, as the comment above its call says it checks.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Endpoint = Callable[[Any], Awaitable[str]]


class APIGateway:
    """Route requests to services.

    Args:
        services: By name, each with its endpoints by name.
        tokens: What `authenticate` takes.
    """

    def __init__(
        self, services: Mapping[str, Mapping[str, Endpoint]], tokens: frozenset[str]
    ) -> None:
        self.services = services
        self._tokens = tokens

    async def route_request(self, path: str, method: str, data: Any) -> str:
        """Find the service, then check the token, then call the service."""
        del method
        service, endpoint = self.parse_path(path)
        if service not in self.services:
            raise LookupError(f"Service {service} not found")
        await self.authenticate(data["token"])
        return await self.services[service][endpoint](data)

    def parse_path(self, path: str) -> tuple[str, str]:
        """Return the second and the third part: /api/user/profile -> user, profile."""
        parts = [each for each in path.split("/") if each]
        return parts[1], parts[2]

    async def authenticate(self, token: str) -> None:
        """Throw unless the token is a good one."""
        if token not in self._tokens:
            raise PermissionError("not authenticated")
