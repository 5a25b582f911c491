"""Real processes that share a layer."""

import asyncio
import sys
from pathlib import Path

from loadpath.local import Valkey
from loadpath.resp import RespClient
from tests.integration.cache.conftest import Open

STAMPEDE = Path(__file__).with_name("stampede.py")


async def test_two_processes_of_500_tasks_call_the_factory_once(resp_valkey: Valkey) -> None:
    """A cold key, asked for at the same moment."""
    async with RespClient(resp_valkey.url) as client:
        await client.execute("FLUSHALL")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, STAMPEDE, resp_valkey.url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [(await each.communicate())[0].decode().split(" ", 1) for each in processes]
    assert sorted(int(calls) for calls, _ in told) == [0, 1]
    assert {rest for _, rest in told} == {"500 {'value'}\n"}


async def test_a_large_keyspace_is_invalidated_by_pattern_while_it_serves(nodes: Open) -> None:
    """Readers of other keys are answered all the time; the rest is gone, and nothing else."""
    async with nodes(heard=False, l1_entries=0) as cache, nodes(heard=False) as reader:
        await reader.set_many({f"keep:{n}": n for n in range(50)})
        for begin in range(0, 20_000, 5_000):
            await cache.set_many({f"drop:{n}": n for n in range(begin, begin + 5_000)})
        invalidation = asyncio.create_task(cache.invalidate_pattern("drop:*"))
        rounds = 0
        while not invalidation.done():
            assert len(await reader.get_many(f"keep:{n}" for n in range(50))) == 50
            rounds += 1
            await asyncio.sleep(0)
        assert await invalidation == 20_000
        assert rounds > 20
        assert await cache.get_many(f"drop:{n}" for n in range(0, 20_000, 97)) == {}


async def test_hostile_keys_and_tags(nodes: Open) -> None:
    """Whatever text they are, each is itself."""
    names = ["\x00", "a\r\n$5", "é", "*", "[a-z]", "\\", " ", "{x}", "x" * 10_000, "#cache:stamp"]
    async with nodes(heard=False, l1_entries=0) as cache:
        for name in names:
            await cache.get_or_set(name, lambda name=name: name, cache.options.with_tags((name,)))
        assert await cache.get_many(names) == {name: name for name in names}
        for number, name in enumerate(names):
            await cache.invalidate_tags(name)
            assert list(await cache.get_many(names)) == names[number + 1 :]
