"""Users are read once and kept; who is not there yet is asked for again."""

import asyncio

from loadpath.systems.timeline.api.users import UserCache
from loadpath.systems.timeline.record.model import User


class Table:
    """Hold users as the record would, and remember who was asked for."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.asked: list[str] = []

    async def user(self, name: str) -> User | None:
        """Return a user."""
        self.asked.append(name)
        await asyncio.sleep(0)
        return self.users.get(name)


async def test_a_user_is_read_once_for_all_who_ask() -> None:
    """At the same time, and later."""
    table = Table()
    table.users["ann"] = User(1, "ann", 0.0)
    async with UserCache(table.user, entries=10) as users:
        found = await asyncio.gather(*(users.find("ann") for _ in range(20)))
        assert set(found) == {User(1, "ann", 0.0)} == {await users.find("ann")}
    assert table.asked == ["ann"]


async def test_whoever_signs_up_is_found_at_once() -> None:
    """That there was nobody is not remembered."""
    table = Table()
    async with UserCache(table.user, entries=10) as users:
        assert await users.find("bob") is None
        table.users["bob"] = User(2, "bob", 0.0)
        assert await users.find("bob") == User(2, "bob", 0.0)


async def test_memory_is_bounded() -> None:
    """More users than fit are read again."""
    table = Table()
    async with UserCache(table.user, entries=5) as users:
        for number in range(50):
            table.users[f"u{number}"] = User(number, f"u{number}", 0.0)
            await users.find(f"u{number}")
        memory = users.snapshot().l1
        assert memory is not None
        assert memory.entries <= 5
