"""Behaviour of the looks that are taken before anything starts."""

import asyncio
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from loadpath.cli.entry import run
from loadpath.local.folders import SHARED_MEMORY, disk_base
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.preflight import (
    GIB,
    NoRecordError,
    NoRoomError,
    PortInUseError,
    Room,
    WrongDsnError,
    check_disk,
    check_port,
    check_record,
    check_room,
    free_room,
    needed,
)

PLENTY = Room(disk=100 * GIB, rings=100 * GIB, memory=100 * GIB)


def test_the_guides_small_sister_fits_a_laptop() -> None:
    """200,000 users with 200 followers: what `loadpath doctor` asks for is enough."""
    need = needed(users=200_000, edges=40_000_000, rings=210_000 * 6_664)
    assert 3 * GIB < need.disk < 8 * GIB
    assert need.rings < need.memory < 3 * GIB
    check_room(need, PLENTY)


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (Room(disk=GIB, rings=9 * GIB, memory=9 * GIB), "2.0 GiB of disk (1.0 GiB are free)"),
        (Room(disk=9 * GIB, rings=GIB, memory=9 * GIB), "2.0 GiB for the rings"),
        (Room(disk=9 * GIB, rings=9 * GIB, memory=GIB), "2.0 GiB of memory"),
    ],
)
def test_what_is_lacking_is_named_with_the_option(free: Room, said: str) -> None:
    """Disk, room for rings and memory count each for itself."""
    with pytest.raises(NoRoomError, match=re.escape(said)) as caught:
        check_room(Room(disk=2 * GIB, rings=2 * GIB, memory=2 * GIB), free)
    assert "--users" in str(caught.value)


def test_this_machine_has_some_room() -> None:
    """Every figure is of a place that is really used."""
    assert min(free_room(rings=1 << 20).disk, free_room(rings=1 << 20).memory) > 0


@pytest.mark.parametrize("group", ["demo", "load"])
def test_a_graph_for_a_data_centre_is_refused_at_once(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, before a server is started."""
    began = time.monotonic()
    assert run([group, "timeline", "--users", "1000000000"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "--users" in printed.err
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("group", ["demo", "up"])
def test_a_port_in_use_is_refused_at_once(
    group: str, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    """Before the graph is built, with the option to change."""
    data = ["--data", str(tmp_path)] if group == "up" else []
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert run([group, "timeline", "--port", str(port), *data]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("\n") <= 1
    assert printed.err.count("\n") == 1
    assert f"port {port} cannot be listened on (Address already in use)" in printed.err
    assert "--port" in printed.err


def test_a_port_that_another_system_would_share_is_in_use() -> None:
    """Its HTTP processes bind it so that others may join: ours are not among them."""
    with (
        closing(socket.create_server(("127.0.0.1", 0), reuse_port=True)) as taken,
        pytest.raises(PortInUseError, match="Address already in use"),
    ):
        check_port(taken.getsockname()[1])


def test_the_last_connections_of_a_system_that_ended_are_no_use() -> None:
    """It can be started again at once on its port."""
    with socket.socket() as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        gone.bind(("127.0.0.1", 0))
        gone.listen()
        port = gone.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = gone.accept()
    with client:
        served.close()
        check_port(port)


def test_a_free_port_stays_free() -> None:
    """Looking at it does not take it; no port asked for is no port to look at."""
    (port,) = free_ports(1)
    check_port(port)
    check_port(port)
    check_port(None)


@pytest.mark.parametrize(
    "dsn",
    [
        "nonsense",
        "",
        "mysql://localhost/x",
        "postgresql://localhost:port/x",
        "postgresql://kim:secret@localhost/x?sslmode=wrong",
    ],
)
async def test_an_address_that_is_none_was_asked_wrongly(dsn: str) -> None:
    """The option is named, with what it should look like."""
    with pytest.raises(WrongDsnError, match="--postgres must look like postgresql://"):
        await check_record(dsn)


async def test_nobody_there_names_the_option_and_what_to_check() -> None:
    """No bare errno."""
    (port,) = free_ports(1)
    with pytest.raises(NoRecordError, match=r"--postgres does not let us in: .*Check that it runs"):
        await check_record(f"postgresql://kim:secret@127.0.0.1:{port}/x?sslmode=disable")


async def test_a_server_that_hangs_up_names_the_option() -> None:
    """Whatever listens there, it is no PostgreSQL that lets us in."""
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoRecordError, match="--postgres"):
            await check_record(f"postgresql://kim:secret@127.0.0.1:{port}/x?sslmode=disable")


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    "asked",
    [
        lambda dsn: ["up", "timeline", "--postgres", dsn, "--port", str(free_ports(1)[0])],
        lambda dsn: ["load", "timeline", "--postgres", dsn, "--url", "http://127.0.0.1:1"],
    ],
)
@pytest.mark.parametrize(
    ("dsn", "code"), [("nonsense", 2), ("postgresql://kim:secret@127.0.0.1:1/x?sslmode=disable", 1)]
)
def test_a_wrong_record_is_one_line_and_an_exit_code(
    asked: Callable[[str], list[str]], dsn: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked wrongly is apart from failed."""
    assert run(asked(dsn)) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--postgres" in said


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="this machine has no /dev/shm")
def test_a_record_in_memory_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`up` promises that posts stay; nothing is made where they would not."""
    data = SHARED_MEMORY / "loadpath-test" / "data"
    asked = ["up", "timeline", "--data", str(data), "--port", str(free_ports(1)[0])]
    assert run(asked) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is in memory" in said
    assert "--data" in said
    assert not data.parent.exists()


def test_a_disk_is_good_for_a_record_that_is_still_to_be_made() -> None:
    """The folder need not be there."""
    check_disk(disk_base() / "not" / "yet" / "there")
    check_disk(disk_base())
