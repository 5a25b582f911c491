"""The guide's load balancers in Python, statement by statement.

Guide: chapter 3. Kept as it is there: `reduce` keeps the first of equals, a response time starts at
0 and is a lifetime mean, checks run by `setInterval` and nothing waits for the last round, `fetch`
ignores options that it does not know (`timeout` is one), `recoveryThreshold` is stored and never
read. Timers are a virtual clock's: a round of checks takes no time unless a server hangs.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from functools import reduce
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any


class AbortError(Exception):
    """A fetch was aborted."""


class AbortController:
    """Abort a fetch that was given the signal."""

    def __init__(self) -> None:
        self.aborted: list[Callable[[], None]] = []

    def abort(self) -> None:
        """Abort it."""
        for callback in self.aborted:
            callback()


@dataclass
class Response:
    """Hold what a fetch resolves to."""

    ok: bool


class Hang:
    """Never resolve, unless the signal is aborted."""

    def __await__(self) -> Generator["Hang", None, Response]:
        """Suspend for ever."""
        yield self
        raise AssertionError("a hung fetch does not resolve")


class Node:
    """Stand in for Node.js: timers over a virtual clock, async functions that nobody awaits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.outstanding: list[Coroutine[Any, Any, None]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._cancelled: set[int] = set()

    def set_timeout(self, callback: Callable[[], None], milliseconds: float) -> int:
        """Call once."""
        number = next(self._order)
        heappush(self._timers, (self.now + milliseconds / 1000, number, callback))
        return number

    def clear_timeout(self, number: int) -> None:
        """Do not call."""
        self._cancelled.add(number)

    def set_interval(self, callback: Callable[[], None], milliseconds: float) -> None:
        """Call again and again."""

        def tick() -> None:
            callback()
            self.set_timeout(tick, milliseconds)

        self.set_timeout(tick, milliseconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, number, callback = heappop(self._timers)
            if number not in self._cancelled:
                callback()
        self.now = end

    def start(
        self, work: Coroutine[Any, Any, None], controller: AbortController | None = None
    ) -> None:
        """Run an async function as far as it comes; what hangs stays until it is aborted."""
        try:
            work.send(None)
        except StopIteration:
            return
        self.outstanding.append(work)
        if controller is not None:
            controller.aborted.append(lambda: self._abort(work))

    def _abort(self, work: Coroutine[Any, Any, None]) -> None:
        self.outstanding.remove(work)
        try:
            work.throw(AbortError("This operation was aborted"))
        except StopIteration:
            return
        raise AssertionError("the guide's functions end when their fetch is aborted")

    def stop(self) -> None:
        """End the process: what hangs is dropped."""
        while self.outstanding:
            self.outstanding.pop().close()


Fetch = Callable[..., Awaitable[Response]]


@dataclass
class Server:
    """Hold what the guide keeps of a server; each class uses its part."""

    url: str
    weight: int = 1
    connections: int = 0
    current_weight: int = 0
    effective_weight: int = 0
    is_healthy: bool = True
    response_time: float = 0
    request_count: int = 0
    total_response_time: float = 0
    consecutive_failures: int = 0
    circuit_breaker_state: str = "CLOSED"


class LeastConnectionsLoadBalancer:
    """Render the guide's class."""

    def __init__(self, servers: list[str]) -> None:
        self.servers = [Server(url) for url in servers]

    def get_next_server(self) -> str:
        """Return the server with the fewest connections."""
        server = reduce(
            lambda least, current: current if current.connections < least.connections else least,
            self.servers,
        )
        server.connections += 1
        return server.url

    def release_connection(self, server_url: str) -> None:
        """Count a connection less."""
        server = next((each for each in self.servers if each.url == server_url), None)
        if server and server.connections > 0:
            server.connections -= 1


class WeightedRoundRobinLoadBalancer:
    """Render the guide's class."""

    def __init__(self, servers: list[tuple[str, int]]) -> None:
        self.servers = [
            Server(url, weight=weight, effective_weight=weight) for url, weight in servers
        ]

    def get_next_server(self) -> str:
        """Return the server whose turn it is."""
        total_weight = 0
        selected: Server | None = None
        for server in self.servers:
            if not server.is_healthy:
                continue
            server.current_weight += server.effective_weight
            total_weight += server.effective_weight
            if selected is None or server.current_weight > selected.current_weight:
                selected = server
        if selected is None:
            raise RuntimeError("No healthy servers available")
        selected.current_weight -= total_weight
        return selected.url

    def update_server_health(self, server_url: str, *, is_healthy: bool) -> None:
        """Change a server's state."""
        server = next((each for each in self.servers if each.url == server_url), None)
        if server:
            server.is_healthy = is_healthy
            if is_healthy:
                server.effective_weight = server.weight
            else:
                server.effective_weight = 0


class LeastResponseTimeLoadBalancer:
    """Render the guide's class."""

    def __init__(self, servers: list[str], node: Node, fetch: Fetch) -> None:
        self.servers = [Server(url) for url in servers]
        self.node, self.fetch = node, fetch
        self.health_check_interval = 30_000
        self.start_health_check()

    def get_next_server(self) -> str:
        """Return the healthy server with the lowest response time."""
        healthy_servers = [server for server in self.servers if server.is_healthy]
        if len(healthy_servers) == 0:
            raise RuntimeError("No healthy servers available")
        selected = reduce(
            lambda least, current: (
                current if current.response_time < least.response_time else least
            ),
            healthy_servers,
        )
        return selected.url

    def record_response_time(self, server_url: str, response_time: float) -> None:
        """Add to a server's mean (ms)."""
        server = next((each for each in self.servers if each.url == server_url), None)
        if server:
            server.request_count += 1
            server.total_response_time += response_time
            server.response_time = server.total_response_time / server.request_count

    def start_health_check(self) -> None:
        """Check every 30 seconds."""
        self.node.set_interval(self.perform_health_check, self.health_check_interval)

    def perform_health_check(self) -> None:
        """Check every server at once."""
        for server in self.servers:
            self.node.start(self._check(server))

    async def _check(self, server: Server) -> None:
        try:
            start_time = self.node.now
            response = await self.fetch(f"http://{server.url}/health", method="GET", timeout=5000)
            response_time = (self.node.now - start_time) * 1000
            if response.ok:
                server.is_healthy = True
                self.record_response_time(server.url, response_time)
            else:
                server.is_healthy = False
        except ConnectionError:
            server.is_healthy = False


@dataclass
class Options:
    """Hold the options of the guide's health-check balancer (ms)."""

    health_check_path: str = "/health"
    health_check_interval: float = 10_000
    health_check_timeout: float = 5_000
    failure_threshold: int = 3
    recovery_threshold: int = 2
    circuit_breaker_timeout: float = 30_000


@dataclass
class HealthCheckLoadBalancer:
    """Render the guide's class."""

    urls: list[str]
    node: Node
    fetch: Fetch
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.servers = [Server(url) for url in self.urls]
        self._random = Random(7)
        self.start_health_check()

    def get_next_server(self) -> str:
        """Return a healthy server; a half-open one only when none is healthy."""
        healthy_servers = [
            server
            for server in self.servers
            if server.is_healthy and server.circuit_breaker_state == "CLOSED"
        ]
        if len(healthy_servers) == 0:
            half_open_servers = [
                server for server in self.servers if server.circuit_breaker_state == "HALF_OPEN"
            ]
            if len(half_open_servers) > 0:
                return self.select_server_by_weight(half_open_servers)
            raise RuntimeError("No healthy servers available")
        return self.select_server_by_weight(healthy_servers)

    def select_server_by_weight(self, servers: list[Server]) -> str:
        """Return a server at random, by weight."""
        total_weight = sum(server.weight for server in servers)
        random = self._random.random() * total_weight
        for server in servers:
            random -= server.weight
            if random <= 0:
                return server.url
        return servers[0].url

    def start_health_check(self) -> None:
        """Check again and again."""
        self.node.set_interval(self.perform_health_check, self.options.health_check_interval)

    def perform_health_check(self) -> None:
        """Check every server at once."""
        for server in self.servers:
            controller = AbortController()
            self.node.start(self._check(server, controller), controller)

    async def _check(self, server: Server, controller: AbortController) -> None:
        try:
            timeout_id = self.node.set_timeout(controller.abort, self.options.health_check_timeout)
            start_time = self.node.now
            response = await self.fetch(
                f"http://{server.url}{self.options.health_check_path}",
                method="GET",
                signal=controller,
            )
            self.node.clear_timeout(timeout_id)
            response_time = (self.node.now - start_time) * 1000
            if response.ok:
                self.handle_health_check_success(server, response_time)
            else:
                self.handle_health_check_failure(server)
        except (ConnectionError, AbortError):
            self.handle_health_check_failure(server)

    def handle_health_check_success(self, server: Server, response_time: float) -> None:
        """Take a server back."""
        server.consecutive_failures = 0
        server.response_time = response_time
        if server.circuit_breaker_state == "HALF_OPEN":
            server.circuit_breaker_state = "CLOSED"
        if not server.is_healthy:
            server.is_healthy = True

    def handle_health_check_failure(self, server: Server) -> None:
        """Count a failure, and open."""
        server.consecutive_failures += 1
        if server.consecutive_failures >= self.options.failure_threshold:
            server.is_healthy = False
            server.circuit_breaker_state = "OPEN"

            def half_open() -> None:
                if server.circuit_breaker_state == "OPEN":
                    server.circuit_breaker_state = "HALF_OPEN"

            self.node.set_timeout(half_open, self.options.circuit_breaker_timeout)
