"""One gateway in this process: listeners, connections, and the settings of this moment.

`loadpath gateway run` runs several of these as workers; a program of your own may run one.
"""

import asyncio
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from loadpath.gateway.serving.accesslog import AccessLog
from loadpath.gateway.serving.certificates import Certificates
from loadpath.gateway.serving.connection import ClientConnection, Terms
from loadpath.gateway.serving.connections import Connections
from loadpath.gateway.serving.generations import Generations, Prepared, terms_of
from loadpath.gateway.serving.listening import BACKLOG, listen
from loadpath.gateway.serving.plane import Plane
from loadpath.gateway.settings.gateway import GatewaySettings

LAST_LOOK = 0.02
"""How long connections that wait already are accepted still when the gateway stops (s)."""


class Gateway:
    """Serve what settings say, as an async context manager; leaving it drains.

    Args:
        settings: What to serve.
        sockets: Sockets that listen, one for each listener; None to open them.
        checked: Whether it makes the active checks itself; a supervisor does for its workers.

    Attributes:
        settings: What is served.
        plane: The way of each request.
        connections: The clients.
        generations: What was made of settings.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        sockets: Sequence[socket.socket] | None = None,
        checked: bool = True,
    ) -> None:
        self.settings = settings
        self.connections = Connections(settings.limits.connections)
        self.generations = Generations(checked=checked)
        self._sockets = sockets
        self._own: list[socket.socket] = []
        self._terms: Terms = terms_of(settings)
        self._certificates: list[Certificates | None] = []
        self._servers: list[asyncio.Server] = []
        self._log: AccessLog | None = None
        self._plane: Plane | None = None

    @property
    def plane(self) -> Plane:
        """The way of each request; there while the gateway runs."""
        if self._plane is None:
            raise RuntimeError("the gateway does not run: use `async with`")
        return self._plane

    async def __aenter__(self) -> Self:
        prepared = await self.generations.prepare(self.settings, None)
        try:
            if self.settings.log.access:
                self._log = AccessLog(self.settings.log.access)
            self._plane = Plane(prepared.live, log=self._log)
            self.generations.commit(prepared, None)
            await self._listen()
        except BaseException:
            if self._plane is None:
                await self.generations.discard(prepared)
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.drain()
        finally:
            await self._close()

    async def reload(self, settings: GatewaySettings) -> None:
        """Serve other settings from now on; requests under way keep the old ones.

        Raises:
            LoadpathError: They cannot be served; the old ones stay.
            OSError: A file that they name cannot be read.
        """
        self.commit(await self.prepare(settings))

    async def prepare(self, settings: GatewaySettings) -> Prepared:
        """Make what settings say beside what is served; errors are those of `reload`."""
        return await self.generations.prepare(settings, self.plane.live)

    def commit(self, prepared: Prepared) -> None:
        """Serve what was prepared."""
        plane = self.plane
        self.generations.commit(prepared, plane.live)
        plane.live = prepared.live
        self.settings = prepared.settings
        self._terms = terms_of(prepared.settings)
        self.connections.most = prepared.settings.limits.connections
        for certificates, chosen in zip(self._certificates, prepared.chosen, strict=True):
            if certificates is not None and chosen is not None:
                certificates.replace(chosen)

    def reopen_log(self) -> None:
        """Open the access log anew."""
        if self._log is not None:
            self._log.reopen()

    @property
    def log_dropped(self) -> int:
        """Lines of the access log that were not written."""
        return 0 if self._log is None else self._log.dropped

    async def drain(self) -> None:
        """Take no more connections and finish what is under way."""
        if self._servers:
            await asyncio.sleep(LAST_LOOK)
        for server in self._servers:
            server.close()
        self._servers.clear()
        await self.connections.drain(self.settings.timeouts.drain)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        sockets = self._sockets
        if sockets is None:
            for listener in self.settings.listeners:
                self._own += listen(listener)
            sockets = self._own
        for each, listener in zip(sockets, self.settings.listeners, strict=True):
            certificates = Certificates(listener.tls) if listener.tls else None
            self._certificates.append(certificates)
            secure = certificates is not None
            self._servers.append(
                await loop.create_server(
                    self._secure if secure else self._plain,
                    sock=each,
                    backlog=BACKLOG,
                    ssl=None if certificates is None else certificates.context,
                )
            )

    def _plain(self) -> ClientConnection:
        return ClientConnection(self.plane, self.connections, self._terms)

    def _secure(self) -> ClientConnection:
        return ClientConnection(self.plane, self.connections, self._terms, secure=True)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for each in self._own:
            each.close()
        if self._plane is not None:
            await self.generations.close(self._plane.live)
        if self._log is not None:
            await asyncio.to_thread(self._log.close)
            self._log = None
