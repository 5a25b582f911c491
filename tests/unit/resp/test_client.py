"""What a client says before it is open, and what it refuses to be made of."""

import subprocess
import sys

import pytest

from loadpath.resp import Address, NotConnectedError, RespClient


def test_a_client_that_is_not_open_says_so() -> None:
    """Nothing was sent, and the message says what to write."""
    client = RespClient("redis://127.0.0.1:1")
    with pytest.raises(NotConnectedError, match="async with"):
        client.execute("PING")
    assert not client.snapshot().connected


async def test_a_server_that_is_not_there_is_told_at_once() -> None:
    """Opening raises what the system says; nothing is left behind."""
    client = RespClient(Address(port=1))
    with pytest.raises(ConnectionRefusedError):
        await client.__aenter__()
    assert client.snapshot().connections == 0


def test_a_missing_hiredis_names_the_extra() -> None:
    """A person sees what to install."""
    code = "import sys; sys.modules['hiredis'] = None; import loadpath.resp"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "pip install 'loadpath[resp]'" in done.stderr


def test_the_room_imports_only_what_it_needs() -> None:
    """Neither redis-py nor a room beside it comes along."""
    code = (
        "import sys, loadpath.resp; "
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('loadpath.')}; "
        "sys.exit(bool({'redis', 'asyncpg'} & set(sys.modules)) or rooms != {'resp', 'core'})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
