"""`loadpath cache` as an operator runs it, against a real server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from loadpath.cache import EntryOptions
from loadpath.local import Valkey
from tests.integration.cache.conftest import Open


async def told(server: Valkey, *arguments: str | Path) -> tuple[int, Any, str]:
    """Run the command; return its exit code, its document, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadpath", "cache", *arguments, "--url", server.url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out) if out else None, said.decode()


async def test_an_operators_round(nodes: Open, resp_valkey: Valkey, tmp_path: Path) -> None:
    """Fill from a file, look, invalidate in every way, look again."""
    file = tmp_path / "entries.jsonl"
    file.write_text(
        '{"key": "a", "value": {"n": 1}, "ttl": 60}\n'
        '{"key": "b", "value": 2, "tags": ["t"]}\n{"key": "p:1", "value": 3}\n'
        '{"key": "p:2", "value": 4}\n{"key": "z", "value": null}\n'
    )
    assert await told(resp_valkey, "warm", file) == (0, {"warmed": 5}, "")
    async with nodes() as cache:
        assert await cache.get("a") == {"n": 1}
        code, stats, _ = await told(resp_valkey, "stats")
        assert (code, stats["entries"], stats["writes_queued"]) == (0, 5, 0)
        code, one, _ = await told(resp_valkey, "get", "b")
        assert (code, one["value"], one["tags"], one["valid"]) == (0, 2, ["t"], True)
        code, done, _ = await told(
            resp_valkey, "invalidate", "--key", "a", "--pattern", "p:*", "--tag", "t"
        )
        assert (code, done) == (0, {"removed": 3})
        assert await cache.get_many(["a", "b", "p:1", "p:2", "z"]) == {"z": None}
        code, one, _ = await told(resp_valkey, "get", "b")
        assert (code, one["valid"]) == (1, False)
        assert (await told(resp_valkey, "invalidate", "--older-than", "0"))[0] == 0
        assert await cache.get_many(["z"]) == {}
        await cache.set("y", 1, EntryOptions(tags=("t",)))
        assert await cache.get("y") == 1


async def test_wrong_questions_are_told(resp_valkey: Valkey, tmp_path: Path) -> None:
    """One line, exit code 2; an unreachable server is 1."""
    code, _, said = await told(resp_valkey, "invalidate")
    assert (code, "--key, --tag" in said) == (2, True)
    file = tmp_path / "bad.jsonl"
    file.write_text('{"key": "a", "value": 1}\n{"key": 1}\n')
    code, _, said = await told(resp_valkey, "warm", file)
    assert (code, "bad.jsonl:2" in said) == (2, True)
    code, _, said = await told(resp_valkey, "invalidate", "--pattern", "a\\")
    assert (code, "backslash" in said) == (2, True)
    code, _, said = await told(resp_valkey, "get", "a", "--prefix", "#x")
    assert (code, "prefix" in said) == (2, True)
