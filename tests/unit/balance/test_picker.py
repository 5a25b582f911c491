"""What policies share: who is ready, and who is left."""

from loadpath.balance.picker import others, ready
from tests.unit.balance.members import named


def test_only_the_ready_are_picked() -> None:
    """In their order."""
    servers = named(4)
    servers[1].ready = False
    assert ready(servers) == [servers[0], servers[2], servers[3]]


def test_everybody_is_left_when_nobody_is() -> None:
    """Avoiding all avoids none."""
    servers = named(3)
    assert others(servers, servers[:1]) == servers[1:]
    assert others(servers, servers) == servers
    assert others(servers, ()) == servers
