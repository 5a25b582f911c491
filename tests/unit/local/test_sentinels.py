"""What Sentinels are told, and what is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from loadpath.local import valkey_sentinel
from loadpath.local.programs import Program
from loadpath.local.sentinels import Member, Sentinel, watched
from loadpath.local.valkey_server import Options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicas": 0}, "replicas must be at least 1"),
        ({"sentinels": 2}, "sentinels 3"),
        ({"down_after": 0.1}, r"down_after must be at least 0\.2 s"),
        ({"down_after": float("nan")}, "down_after"),
        ({"settings": {"requirepass": "x"}}, "requirepass is decided by loadpath"),
        ({"start_timeout": 0}, "start_timeout"),
    ],
)
async def test_arguments_are_checked_before_anything_starts(
    arguments: dict[str, Any], message: str
) -> None:
    """A wrong number costs no server and no folder."""
    with pytest.raises(ValueError, match=message):
        await valkey_sentinel(**arguments).__aenter__()


def test_a_sentinel_knows_everybody_from_its_first_moment() -> None:
    """Primary, replicas, and how many must agree: more than half."""
    assert watched([1, 2, 3], sentinels=5, down_after=0.5) == [
        "sentinel monitor main 127.0.0.1 1 3",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 5000",
        "sentinel known-replica main 127.0.0.1 2",
        "sentinel known-replica main 127.0.0.1 3",
    ]


@pytest.mark.parametrize("kind", [Member, Sentinel])
def test_settings_that_a_failover_wrote_are_kept(kind: type[Member], tmp_path: Path) -> None:
    """A server that is started again keeps the role that it was told."""
    program = Program(name="Valkey", version="9", path=Path("valkey-server"), source="a test")
    server = kind("one", tmp_path, Options(program=program))
    server.prepare()
    server._write_settings(7000)
    assert "7000" in server.conf.read_text()
    server.conf.write_text("what Valkey wrote")
    server._write_settings(7000)
    assert server.conf.read_text() == "what Valkey wrote"
