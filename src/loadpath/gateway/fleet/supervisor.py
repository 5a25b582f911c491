"""Keep a gateway running: its workers, their health, its settings file, its admin port.

The supervisor holds the sockets that listen, so that a worker that ends loses no connection that
waits in one: the next process takes it. It serves no traffic itself.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

from loadpath.core.errors import LoadpathError
from loadpath.core.settings import SettingsError
from loadpath.gateway.admin.models import (
    GatewayStatus,
    WorkerStatus,
    route_status,
    routes_of,
    upstream_status,
)
from loadpath.gateway.admin.site import AdminSite, NoSuchEndpointError
from loadpath.gateway.checks.files import named_files
from loadpath.gateway.errors import ReloadError
from loadpath.gateway.fleet.desk import HealthDesk
from loadpath.gateway.fleet.slot import Slot, WorkerFailedError
from loadpath.gateway.fleet.watching import watch
from loadpath.gateway.orders import (
    Act,
    Action,
    Ask,
    Checked,
    Commit,
    Discard,
    Done,
    Ejected,
    Message,
    Prepare,
    Reopen,
    WorkerFigures,
)
from loadpath.gateway.reading import missing_files, read_settings
from loadpath.gateway.serving.connection import ClientConnection, Terms
from loadpath.gateway.serving.connections import Connections
from loadpath.gateway.serving.generations import terms_of
from loadpath.gateway.serving.listening import listen, listen_alone
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Admin

ADMIN_CONNECTIONS = 100
FIGURES_WITHIN = 2.0
"""How long a worker may take to tell its figures; who does not is left out (s)."""

_FIXED = ("workers", "admin", "log")
_log = logging.getLogger("loadpath.gateway")


class Supervisor:
    """Run the gateway of one settings file, as an async context manager; leaving it drains.

    Args:
        path: The file.
        settings: What it holds.

    Attributes:
        path: The file.
        settings: What is served.
        generation: How many readings of the file were taken over.
        problem: Why the last change of the file was refused, empty when it was not.
    """

    def __init__(self, path: Path, settings: GatewaySettings) -> None:
        self.path = path
        self.settings = settings
        self.generation = 1
        self.problem = ""
        self._slots: list[Slot] = []
        self._sockets: list[socket.socket] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._desk = HealthDesk(self._checked)
        self._drained: set[tuple[str, str]] = set()
        self._reloading = asyncio.Lock()
        self._draining = False
        self._owned = AsyncExitStack()
        self._catching_up: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        workers = self.settings.workers
        by_listener: list[list[socket.socket]] = []
        for each in self.settings.listeners:
            by_listener.append(listen(each, count=workers))
            self._sockets += by_listener[-1]
        await self._desk.follow(self.settings.upstreams)
        for number in range(workers):
            slot = Slot(number, [sockets[number] for sockets in by_listener], self)
            self._slots.append(slot)
            self._keepers.append(asyncio.create_task(slot.keep()))
        await self._all_up()
        if self.settings.admin is not None:
            await self._open_admin(self.settings.admin)
        watching = asyncio.create_task(watch(self._files, self._file_changed))
        self._owned.push_async_callback(_cancelled, watching)

    async def _all_up(self) -> None:
        """Wait until every worker serves.

        Raises:
            WorkerFailedError: One does not come up.
        """
        await asyncio.gather(*(slot.first for slot in self._slots))

    async def _open_admin(self, admin: Admin) -> None:
        terms = terms_of(GatewaySettings())
        connections = Connections(ADMIN_CONNECTIONS)
        site = AdminSite(self, host=admin.host)
        server = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(site, connections, Terms(terms.timeouts, terms.limits, 4_096)),
            sock=listen_alone(admin.host, admin.port),
        )
        self._owned.push_async_callback(connections.drain, 1.0)
        self._owned.callback(server.close)

    async def _stop(self) -> None:
        """Drain: no new connections, workers finish what they do, then everything ends."""
        self._draining = True
        for slot in self._slots:
            slot.retire()
        for each in self._sockets:
            each.close()  # nobody waits in a socket that only the supervisor holds
        for task in self._catching_up:
            task.cancel()
        patience = self.settings.timeouts.drain
        ending = [asyncio.create_task(slot.end(patience)) for slot in self._slots]
        if ending:
            await asyncio.wait(ending)
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        await self._desk.close()
        await self._owned.aclose()

    # What slots ask and tell.

    def settings_now(self) -> GatewaySettings:
        """Return what is served."""
        return self.settings

    def drained_now(self) -> list[tuple[str, str]]:
        """Return the endpoints that an operator took out."""
        return sorted(self._drained)

    def came_up(self, slot: Slot) -> None:
        """Tell a worker that has come up what the others know."""
        for name, address, reason, times in self._desk.failed():
            for _ in range(times):
                slot.tell(Checked(name, address, reason))
        for each in self._drained - slot.drained:
            slot.tell(Act(slot.number_next(), "drain", *each))
        for each in slot.drained - self._drained:
            slot.tell(Act(slot.number_next(), "restore", *each))
        if slot.served is not self.settings:
            task = asyncio.create_task(self._catch_up(slot))
            self._catching_up.add(task)
            task.add_done_callback(self._catching_up.discard)

    def heard(self, slot: Slot, told: Ejected) -> None:
        """Tell the others what one worker's traffic has ejected."""
        for each in self._slots:
            if each is not slot:
                each.tell(told)

    def _checked(self, upstream: str, address: str, reason: str) -> None:
        self._tell_all(Checked(upstream, address, reason))

    def _tell_all(self, message: Message) -> None:
        for slot in self._slots:
            slot.tell(message)

    async def _catch_up(self, slot: Slot) -> None:
        """Give a worker that started meanwhile the settings of now; one that cannot is replaced."""
        async with self._reloading:
            number = slot.number_next()
            with suppress(WorkerFailedError):
                prepared = await slot.order(Prepare(number, self.settings), number)
                if isinstance(prepared, Done) and not prepared.error:
                    await slot.order(Commit(number, self.drained_now()), number)
                    slot.served = self.settings
                    return
            slot.kill()

    # New settings.

    def _files(self) -> list[str]:
        return [str(self.path), *(file for _, file in named_files(self.settings))]

    async def _file_changed(self) -> None:
        with suppress(LoadpathError):  # told in the log and by the admin API
            await self.reload()

    def reopen_log(self) -> None:
        """Let every worker open its access log anew."""
        self._tell_all(Reopen())

    async def reload(self) -> int:
        """Read the settings again and serve them; the old ones stay where that cannot be.

        Returns:
            How many workers took them over.

        Raises:
            ReloadError: They were refused.
        """
        async with self._reloading:
            try:
                taken = await self._take_over(await asyncio.to_thread(self._read))
            except (LoadpathError, OSError, ValueError) as error:
                self.problem = str(error)
                _log.error("the old settings stay: %s", error)
                raise ReloadError(self.problem) from error
            self.problem = ""
            self.generation += 1
            _log.warning("settings of %s taken over by %d workers", self.path, taken)
            return taken

    def _read(self) -> GatewaySettings:
        settings = read_settings(self.path)
        for problem in missing_files(settings):
            raise SettingsError(self.path, problem.what, path=problem.path)
        for name in _FIXED:
            if getattr(settings, name) != getattr(self.settings, name):
                raise SettingsError(
                    self.path, "is read at the start only: restart the gateway", path=f"$.{name}"
                )
        if _places(settings) != _places(self.settings):
            raise SettingsError(
                self.path, "are opened at the start only: restart the gateway", path="$.listeners"
            )
        return settings

    async def _take_over(self, settings: GatewaySettings) -> int:
        """Make settings ready everywhere, and only then serve them."""
        slots = [each for each in self._slots if each.state == "serving"]
        numbers = {slot: slot.number_next() for slot in slots}
        outcomes = await asyncio.gather(
            *(slot.order(Prepare(numbers[slot], settings), numbers[slot]) for slot in slots),
            return_exceptions=True,
        )
        problems = [problem for each in outcomes if (problem := _problem(each))]
        if problems:
            for slot in slots:
                slot.tell(Discard(numbers[slot]))
            raise ReloadError(problems[0])
        await self._desk.follow(settings.upstreams)
        self.settings = settings
        for slot in slots:
            await self._commit(slot, numbers[slot], settings)
        return len(slots)

    async def _commit(self, slot: Slot, number: int, settings: GatewaySettings) -> None:
        try:
            await slot.order(Commit(number, self.drained_now()), number)
        except WorkerFailedError:
            slot.kill()  # it is started again, with the new settings
            return
        slot.served = settings

    # What an operator sees and does.

    @property
    def is_ready(self) -> bool:
        """Whether every worker serves, and the gateway is not about to end."""
        return not self._draining and all(each.state == "serving" for each in self._slots)

    async def figures(self) -> list[WorkerFigures]:
        """Return what every worker that answers has counted."""
        told = await asyncio.gather(*map(self._figures_of, self._slots))
        return [each for each in told if each is not None]

    async def _figures_of(self, slot: Slot) -> WorkerFigures | None:
        number = slot.number_next()
        try:
            async with asyncio.timeout(FIGURES_WITHIN):
                told = await slot.order(Ask(number), number)
        except (WorkerFailedError, TimeoutError):
            return None
        return told if isinstance(told, WorkerFigures) else None

    def status(self, told: Sequence[WorkerFigures]) -> GatewayStatus:
        """Return everything of this moment."""
        counted = routes_of(told)
        return GatewayStatus(
            settings=str(self.path),
            generation=self.generation,
            problem=self.problem,
            draining=self._draining,
            workers=[
                WorkerStatus(
                    number=slot.number,
                    pid=slot.pid,
                    state=slot.state,
                    restarts=slot.restarts,
                    connections=each.connections if (each := _told_by(slot, told)) else 0,
                )
                for slot in self._slots
            ],
            upstreams=[
                upstream_status(name, each.policy, told)
                for name, each in self.settings.upstreams.items()
            ],
            routes=[
                route_status(each.name, counted[each.name])
                for each in self.settings.routes
                if each.name in counted
            ],
        )

    async def act(self, action: Action, upstream: str, address: str) -> int:
        """Do something with an endpoint in every worker; returns how many did it.

        Raises:
            NoSuchEndpointError: There is no such endpoint.
            ReloadError: It cannot be done now.
        """
        if upstream not in self.settings.upstreams:
            raise NoSuchEndpointError(f"there is no upstream {upstream!r}")
        was_drained = (upstream, address) in self._drained
        self._note(action, (upstream, address))  # for workers that come up meanwhile
        outcomes = await asyncio.gather(
            *(self._act(slot, action, upstream, address) for slot in self._slots)
        )
        done = outcomes.count("")
        if not done:
            self._note("drain" if was_drained else "restore", (upstream, address))
            why = next((each for each in outcomes if each is not None), "no worker serves now")
            if why == "there is no such endpoint":
                raise NoSuchEndpointError(f"{upstream} has no endpoint {address!r}")
            raise ReloadError(why)
        _log.warning("%s %s of %s in %d workers", action, address, upstream, done)
        return done

    def _note(self, action: Action, endpoint: tuple[str, str]) -> None:
        if action == "drain":
            self._drained.add(endpoint)
        elif action == "restore":
            self._drained.discard(endpoint)

    async def _act(self, slot: Slot, action: Action, upstream: str, address: str) -> str | None:
        number = slot.number_next()
        try:
            done = await slot.order(Act(number, action, upstream, address), number)
        except WorkerFailedError:
            return None
        return done.error if isinstance(done, Done) else None


def _problem(outcome: Any) -> str:
    if isinstance(outcome, BaseException):
        return str(outcome)
    return outcome.error if isinstance(outcome, Done) else ""


def _told_by(slot: Slot, told: Sequence[WorkerFigures]) -> WorkerFigures | None:
    return next((each for each in told if each.worker == slot.number), None)


def _places(settings: GatewaySettings) -> list[tuple[str, int, bool]]:
    return [(each.host, each.port, bool(each.tls)) for each in settings.listeners]


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def run(path: Path, settings: GatewaySettings) -> None:
    """Run a gateway until SIGTERM or SIGINT; SIGHUP reads the settings and opens the log anew.

    Raises:
        LoadpathError: It could not be started.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()
    async with Supervisor(path, settings) as supervisor:

        def hang_up() -> None:
            supervisor.reopen_log()
            task = asyncio.create_task(_reload(supervisor))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        _log.warning("serving %s with %d workers", path, settings.workers)
        await stop.wait()


async def _reload(supervisor: Supervisor) -> None:
    with suppress(LoadpathError):
        await supervisor.reload()
