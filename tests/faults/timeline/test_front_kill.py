"""Two HTTP processes behind the gateway: one that is killed costs no request that need fail."""

import asyncio
from pathlib import Path

from loadpath.systems.timeline.service import TimelineService
from tests.integration.timeline.services import small_service

REQUEST = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
KILLS = 2


class Reader:
    """Read without a pause over one connection to the gateway.

    Attributes:
        answered: Requests that were answered as asked.
        failed: Answers that were not.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.failed: list[bytes] = []

    async def run(self, service: TimelineService, stop: asyncio.Event) -> None:
        """Read until told to stop."""
        api = service.settings.api
        reader, writer = await asyncio.open_connection(api.host, api.port)
        while not stop.is_set():
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            if head.startswith(b"HTTP/1.1 200 "):
                self.answered += 1
            else:
                self.failed.append(head)
        writer.close()


async def test_killed_processes_are_not_noticed(record_dsn: str, tmp_path: Path) -> None:
    """Reads go on, each answered as asked, while one process after the other is killed."""
    async with small_service(record_dsn, tmp_path, population=None, apis=2, behind=True) as service:
        stop = asyncio.Event()
        readers = [Reader() for _ in range(4)]
        reading = [asyncio.create_task(each.run(service, stop)) for each in readers]
        for kill in range(KILLS):
            before = sum(each.answered for each in readers)
            await service.kill(service.apis[kill % 2])
            await asyncio.sleep(0.2)
            assert sum(each.answered for each in readers) > before
            await service.recovered()
            await asyncio.sleep(1.5)  # the gateway takes it back
        stop.set()
        await asyncio.gather(*reading)
        assert [each for reader in readers for each in reader.failed] == []


async def test_a_killed_gateway_is_started_again(record_dsn: str, tmp_path: Path) -> None:
    """Its port is free again at once, and its workers are gone with it."""
    async with small_service(record_dsn, tmp_path, population=None, apis=2, behind=True) as service:
        assert service.gateway is not None
        await service.kill(service.gateway)
        await service.recovered()
        stop = asyncio.Event()
        reader = Reader()
        reading = asyncio.create_task(reader.run(service, stop))
        await asyncio.sleep(0.2)
        stop.set()
        await reading
        assert reader.answered
        assert reader.failed == []
