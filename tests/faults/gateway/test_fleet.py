"""Reload, drain, and workers that are killed, under load: no request fails that need not."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.faults.gateway.fleet import Fleet, Load, fleet
from tests.faults.gateway.stage import Backend, until


def answering() -> Backend:
    """Return a backend that says ok."""
    backend = Backend()
    backend._handler = backend.fixed
    return backend


async def test_reload_under_load_loses_nothing(tmp_path: Path) -> None:
    """Endpoints change, a bad file is refused, SIGHUP and the file's change are both heard."""
    one, other = answering(), answering()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(one.serving())
        await stack.enter_async_context(other.serving())
        running = await stack.enter_async_context(fleet(tmp_path, one.address))
        load = Load(running.port)
        loading = asyncio.create_task(load.run())
        await asyncio.sleep(0.3)
        running.write(one.address, other.address)
        status = await running.until(lambda told: told["generation"] == 2)
        assert len(status["upstreams"][0]["endpoints"]) == 2
        await asyncio.sleep(0.3)
        assert other.heads
        calls = status["upstreams"][0]["endpoints"][0]["calls"]
        assert calls > 0  # what was known of it is kept
        good = running.file.read_text()
        running.file.write_text("routes = 5")
        status = await running.until(lambda told: told["problem"])
        assert "$.routes" in status["problem"]
        assert status["generation"] == 2
        running.file.write_text(good.replace('"all"', '"renamed"'))
        running.signal(signal.SIGHUP)
        status = await running.until(lambda told: told["generation"] >= 3)
        assert status["problem"] == ""
        running.write(other.address, upstream='policy = "least_connections"')
        await running.until(lambda told: told["upstreams"][0]["policy"] == "least_connections")
        await asyncio.sleep(0.3)
        load.stopped = True
        await loading
        assert load.failed == []
        assert load.refused == 0
        assert load.answered > 100


async def test_what_is_read_at_the_start_only_is_refused(tmp_path: Path) -> None:
    """With its path and what to do."""
    backend = answering()
    async with backend.serving(), fleet(tmp_path, backend.address) as running:
        text = running.file.read_text()
        running.file.write_text(text.replace("workers = 2", "workers = 3"))
        status, told = await running.ask("POST", "/api/reload")
        assert status == 409
        assert "$.workers" in told["detail"]
        assert "restart" in told["detail"]


async def test_drain_under_load_finishes_what_is_under_way(tmp_path: Path) -> None:
    """SIGTERM: requests under way are answered, the last on each connection says so."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await backend.read(reader)
            await asyncio.sleep(0.2)
            writer.write(backend.answer)
            await writer.drain()

    backend = Backend(slow)
    async with backend.serving(), fleet(tmp_path, backend.address) as running:
        load = Load(running.port)
        loading = asyncio.create_task(load.run())
        await asyncio.sleep(0.5)
        running.signal(signal.SIGTERM)
        assert running.process is not None
        async with asyncio.timeout(10):
            assert await running.process.wait() == 0
        load.stopped = True
        await loading
        assert load.failed == []
        assert load.answered >= 8


async def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    """The other one serves meanwhile, and what waits in its socket is served by the next."""
    backend = answering()
    async with backend.serving(), fleet(tmp_path, backend.address) as running:
        before = await running.status()
        load = Load(running.port)
        loading = asyncio.create_task(load.run())
        await asyncio.sleep(0.3)
        killed = before["workers"][0]["pid"]
        os.kill(killed, signal.SIGKILL)
        status = await running.until(
            lambda told: (
                told["workers"][0]["state"] == "serving" and told["workers"][0]["pid"] != killed
            )
        )
        assert status["workers"][0]["restarts"] == 1
        assert status["workers"][1]["pid"] == before["workers"][1]["pid"]
        answered = load.answered
        await asyncio.sleep(0.3)
        assert load.answered > answered
        load.stopped = True
        await loading
        assert load.failed == []
        assert load.refused == 0


async def test_a_drain_reaches_a_worker_that_starts_meanwhile(tmp_path: Path) -> None:
    """What an operator takes out, or back, while a worker is started again holds there too."""
    backend = answering()
    async with backend.serving(), fleet(tmp_path, backend.address) as running:
        path = f"/api/upstreams/api/endpoints/{backend.address}"
        for action, answer in (("drain", b"503"), ("restore", b"200")):
            os.kill((await running.status())["workers"][0]["pid"], signal.SIGKILL)
            await running.until(lambda told: told["workers"][0]["state"] != "serving")
            assert await running.ask("POST", f"{path}/{action}") == (200, {"workers": 1})
            await running.until(lambda told: told["workers"][0]["state"] == "serving")
            assert {await status_of(running.port) for _ in range(20)} == {answer}


async def status_of(port: int) -> bytes:
    """Return the status of an answer over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read(-1)
    writer.close()
    return answer.split(b" ")[1]


async def test_health_is_shared(tmp_path: Path) -> None:
    """Checks are made once and known to all; what an operator takes out stays out everywhere."""
    one, other = answering(), answering()
    checks = 'health = {path = "/health", interval = 0.2, timeout = 1.0, fall = 2, rise = 1}'
    async with one.serving(), other.serving():
        addresses = (one.address, other.address)
        async with fleet(tmp_path, *addresses, upstream=checks) as running:
            await one.stop()
            await running.until(
                lambda told: told["upstreams"][0]["endpoints"][0]["state"] == "down"
            )
            os.kill((await running.status())["workers"][0]["pid"], signal.SIGKILL)
            status = await running.until(
                lambda told: all(each["state"] == "serving" for each in told["workers"])
            )
            assert status["upstreams"][0]["endpoints"][0]["state"] == "down"
            assert status["upstreams"][0]["endpoints"][0]["reason"]
            await one.start(one.port)
            await running.until(lambda told: told["upstreams"][0]["endpoints"][0]["state"] == "up")
            path = f"/api/upstreams/api/endpoints/{other.address}"
            assert await running.ask("POST", f"{path}/drain") == (200, {"workers": 2})
            load = Load(running.port)
            loading = asyncio.create_task(load.run())
            await asyncio.sleep(0.2)
            sent = sum(b"GET /x " in each for each in other.heads)
            running.write(*addresses, upstream=checks + '\npolicy = "random"')
            await running.until(lambda told: told["generation"] == 2)
            await asyncio.sleep(0.2)
            assert sum(b"GET /x " in each for each in other.heads) == sent
            assert await running.ask("POST", f"{path}/restore") == (200, {"workers": 2})
            await asyncio.sleep(0.3)
            load.stopped = True
            await loading
            assert sum(b"GET /x " in each for each in other.heads) > sent
            assert load.failed == []


async def test_an_ejection_is_told_to_all(tmp_path: Path) -> None:
    """What one worker's traffic finds out takes the endpoint out everywhere."""
    good, bad = answering(), answering()
    bad.answer = b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno"
    passive = "passive = {max_fails = 3, fail_timeout = 60.0}"
    async with AsyncExitStack() as stack:
        for each in (good, bad):
            await stack.enter_async_context(each.serving())
        addresses = (good.address, bad.address)
        async with fleet(tmp_path, *addresses, upstream=passive) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            for _ in range(8):  # one connection, so one worker
                writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
            await running.until(
                lambda told: told["upstreams"][0]["endpoints"][1]["state"] == "ejected"
            )
            await asyncio.sleep(0.6)
            came = len(bad.heads)
            load = Load(running.port)
            loading = asyncio.create_task(load.run())
            await asyncio.sleep(0.3)
            load.stopped = True
            await loading
            assert len(bad.heads) == came
            assert load.failed == []
            writer.close()


async def test_the_log_is_opened_anew(tmp_path: Path) -> None:
    """SIGHUP after a rotation: lines go to the new file, each one a JSON object."""
    backend = answering()
    async with backend.serving(), fleet(tmp_path, backend.address) as running:
        for turn in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b'GET /"x"?%0a HTTP/1.1\r\nHost: a\r\nUser-Agent: "\xff\r\n')
            writer.write(b"Connection: close\r\n\r\n")
            await reader.read(-1)
            writer.close()
            await until(lambda: running.log.exists() and bool(running.log.read_bytes()))
            assert running.log.read_bytes().count(b"\n") == 1
            if turn == 0:
                running.log.rename(running.log.with_suffix(".1"))
                running.signal(signal.SIGHUP)
                await asyncio.sleep(0.6)


async def test_what_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """A port that is taken, and a certificate that is none: one line, exit code 1."""
    running = Fleet(tmp_path, 2)
    running.write("127.0.0.1:1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", running.port))
        taken.listen()
        code, words = await ended(running)
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{running.port}" in words
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    tls = f'{{port = {running.port}, tls = [{{certificate = "{nonsense}", key = "{nonsense}"}}]}}'
    text = running.file.read_text()
    running.file.write_text(text.replace(f"{{port = {running.port}}}", tls, 1))
    code, words = await ended(running)
    assert code == 1
    assert "nonsense.pem" in words
    assert "a worker did not come up (exit code 1)" in words


async def ended(running: Fleet) -> tuple[int, str]:
    """Run a gateway that ends by itself; returns its exit code and its words."""
    with pytest.raises(AssertionError):
        await running.start()
    assert running.process is not None
    return await running.process.wait(), running.said
