"""One worker: serve on inherited sockets, and do what the supervisor says.

`python -m loadpath.gateway.fleet.worker CONTROL SOCKET…`, numbers of inherited files. When the
supervisor is gone the worker drains and ends.
"""

import asyncio
import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from loadpath.balance import Endpoint
from loadpath.core.errors import LoadpathError
from loadpath.gateway.fleet.channel import Channel, open_channel
from loadpath.gateway.gateway import Gateway
from loadpath.gateway.orders import (
    Act,
    Ask,
    Checked,
    Commit,
    Discard,
    Done,
    Drain,
    Ejected,
    Order,
    Prepare,
    Ready,
    Reopen,
    Serve,
    WorkerFigures,
)
from loadpath.gateway.serving.generations import Prepared
from loadpath.upstream import Upstream

LOOK_EVERY = 0.2
"""How often a worker looks whether its traffic has ejected an endpoint (s)."""

MOST_FILES = 65_536
"""Open files that a worker asks the system for."""


class Worker:
    """Carry out orders.

    Args:
        number: Which worker it is.
        gateway: What serves.
        channel: Where orders come from.
    """

    def __init__(self, number: int, gateway: Gateway, channel: Channel[Order]) -> None:
        self._number = number
        self._gateway = gateway
        self._channel = channel
        self._prepared: dict[int, Prepared] = {}
        self._ejected: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Carry out orders until one says to end, or nobody is left who gives any."""
        self._channel.send(Ready())
        looking = asyncio.create_task(self._look_for_ejections())
        try:
            while True:
                order = await self._channel.receive()
                if order is None or isinstance(order, Drain):
                    return
                await self._carry_out(order)
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    def drain(self, endpoints: Iterable[tuple[str, str]]) -> None:
        """Give endpoints no more requests."""
        for name, address in endpoints:
            upstream = self._upstream(name)
            if upstream is not None and _has(upstream, address):
                upstream.balancer.set_server_health(address, healthy=False)

    async def _carry_out(self, order: Order) -> None:
        match order:
            case Prepare():
                await self._prepare(order)
            case Commit():
                self._gateway.commit(self._prepared.pop(order.number))
                self.drain(order.drained)
                self._channel.send(Done(order.number))
            case Discard():
                await self._discard(order.number)
            case Checked():
                self._checked(order)
            case Ejected():
                self._eject(order)
            case Act():
                self._channel.send(Done(order.number, self._act(order)))
            case Ask():
                self._channel.send(self._figures(order.number))
            case Reopen():
                self._gateway.reopen_log()

    async def _prepare(self, order: Prepare) -> None:
        try:
            self._prepared[order.number] = await self._gateway.prepare(order.settings)
        except (LoadpathError, OSError, ValueError) as error:
            self._channel.send(Done(order.number, str(error) or type(error).__name__))
        else:
            self._channel.send(Done(order.number))

    async def _discard(self, number: int) -> None:
        prepared = self._prepared.pop(number, None)
        if prepared is not None:
            await self._gateway.generations.discard(prepared)

    def _upstream(self, name: str) -> Upstream | None:
        service = self._gateway.plane.live.services.get(name)
        return None if service is None else service.upstream

    def _checked(self, told: Checked) -> None:
        upstream = self._upstream(told.upstream)
        if upstream is not None:
            upstream.balancer.on_check(Endpoint.parse(told.address), told.reason)

    def _eject(self, told: Ejected) -> None:
        upstream = self._upstream(told.upstream)
        if upstream is not None and _has(upstream, told.address):
            upstream.balancer.eject(told.address)

    def _act(self, act: Act) -> str:
        """Do what an operator wants; returns why that cannot be done."""
        upstream = self._upstream(act.upstream)
        if upstream is None or not _has(upstream, act.address):
            return "there is no such endpoint"
        if act.action == "eject":
            if upstream.balancer.eject(act.address):
                return ""
            return "it is out already, too many are, or passive.max_fails is 0: drain it instead"
        upstream.balancer.set_server_health(act.address, act.action == "restore")
        return ""

    def _figures(self, number: int) -> WorkerFigures:
        gateway = self._gateway
        services = gateway.plane.live.services
        return WorkerFigures(
            number=number,
            worker=self._number,
            routes=gateway.generations.figures,
            unrouted=gateway.plane.figures,
            upstreams={name: each.upstream.snapshot() for name, each in services.items()},
            connections=len(gateway.connections),
            refused=gateway.connections.refused,
            log_dropped=gateway.log_dropped,
        )

    async def _look_for_ejections(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            ejected = {
                (name, each.address)
                for name, service in self._gateway.plane.live.services.items()
                for each in service.upstream.balancer.get_server_stats()
                if each.state == "ejected"
            }
            for upstream, address in ejected - self._ejected:
                self._channel.send(Ejected(upstream, address))
            self._ejected = ejected


def _has(upstream: Upstream, address: str) -> bool:
    return address in upstream.balancer.endpoints


async def serve(control: socket.socket, sockets: Sequence[socket.socket]) -> None:
    """Serve until an order says to end."""
    channel: Channel[Order] = await open_channel(control, Order)
    try:
        first = await channel.receive()
        if not isinstance(first, Serve):
            return
        async with Gateway(first.settings, sockets=sockets, checked=False) as gateway:
            tune_collector()
            worker = Worker(first.worker, gateway, channel)
            worker.drain(first.drained)
            await worker.run()
    finally:
        channel.close()


def main(arguments: Sequence[str]) -> int:
    """Run a worker; return its exit code.

    Args:
        arguments: Numbers of the inherited files: the control channel, then the listeners.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor gets them, and says what to do
    ask_for_files()
    control, *listening = (socket.socket(fileno=int(each)) for each in arguments)
    control.setblocking(False)
    try:
        run_loop(lambda: serve(control, listening))
    except (LoadpathError, OSError) as error:
        print(f"loadpath gateway worker: {error}", file=sys.stderr)  # noqa: T201 - for people
        return 1
    return 0


def run_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run work on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        asyncio.run(work())
    else:
        uvloop.run(work())


def tune_collector() -> None:
    """Look for cyclic garbage seldom: requests make none, and what was made at the start stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def ask_for_files() -> None:
    """Raise the limit of open files: the usual one would end at a thousand clients."""
    limited, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if limited != resource.RLIM_INFINITY and limited < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
