"""The bounds around the API, and how it comes to listen."""

import asyncio
import json
import socket

import pytest
from starlette.types import Message, Receive, Scope, Send

from loadpath.local.ports import free_ports
from loadpath.systems.timeline.api.process import Admission, PortTakenError, listener, main
from loadpath.systems.timeline.api.web import Answer, send_answer


async def test_requests_beyond_the_bound_are_refused() -> None:
    """One too many is 503 with Retry-After; when one is done, the next is admitted."""
    gate = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await gate.wait()
        await send_answer(Answer(b"{}"), send)

    async def receive() -> Message:
        raise AssertionError

    async def ask() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await app({"type": "http"}, receive, send)
        return sent

    app = Admission(slow, most=2)
    two = asyncio.gather(ask(), ask())
    await asyncio.sleep(0)
    refused = await ask()
    assert refused[0]["status"] == 503
    assert (b"retry-after", b"1") in refused[0]["headers"]
    assert json.loads(refused[1]["body"])["type"].endswith(":not-tried")
    gate.set()
    assert [sent[0]["status"] for sent in await two] == [200, 200]
    assert (await ask())[0]["status"] == 200


def test_a_taken_port_is_told() -> None:
    """Another program on the port is an error with the next step; two of ours share it."""
    (port,) = free_ports(1)
    with listener("127.0.0.1", port) as first, listener("127.0.0.1", port):
        assert first.getsockname()[1] == port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(PortTakenError, match="choose another"), listener("127.0.0.1", taken):
            pass


def test_a_foreign_address_is_told() -> None:
    """An address that is not this machine's is the same kind of error."""
    with pytest.raises(PortTakenError, match="cannot listen"), listener("192.0.2.1", 8000):
        pass


def test_the_command_tells_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a settings file there is nothing to serve."""
    assert main([]) == 2
    assert "CONFIG.toml" in capsys.readouterr().err
