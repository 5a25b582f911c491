"""Free ports, and what happens when one is taken in between."""

import pytest

from loadpath.local import ServerError
from loadpath.local.ports import ATTEMPTS, TAKEN, checked_port, free_ports, on_free_ports


def test_ports_are_different() -> None:
    """Ports chosen together never collide with each other."""
    ports = free_ports(50)
    assert len(set(ports)) == 50


@pytest.mark.parametrize("taken", ["Address already in use", "Address in use"])
async def test_a_port_taken_meanwhile_is_replaced(taken: str) -> None:
    """A server that finds its port taken is started again on another."""
    tried: list[int] = []

    async def start(ports: list[int]) -> None:
        tried.extend(ports)
        if len(tried) < 3:
            raise ServerError("server", "ended", log=f"bind: {taken}")

    await on_free_ports(start)
    assert len(tried) == 3


async def test_another_failure_is_not_tried_again() -> None:
    """Only a taken port is worth a second try."""
    tried = []

    async def start(ports: list[int]) -> None:
        tried.append(ports)
        raise ServerError("server", "ended", log="syntax error")

    with pytest.raises(ServerError, match="syntax error"):
        await on_free_ports(start)
    assert len(tried) == 1


async def test_gives_up_in_the_end() -> None:
    """Tries are bounded, and the last error is the caller's."""
    tried = []

    async def start(ports: list[int]) -> None:
        tried.append(ports)
        raise ServerError("server", "ended", log="bind: Address already in use")

    with pytest.raises(ServerError, match=TAKEN):
        await on_free_ports(start, count=2)
    assert len(tried) == ATTEMPTS
    assert all(len(ports) == 2 for ports in tried)


@pytest.mark.parametrize("port", [0, -1, 65_536, True, 8000.5, "http"])
def test_a_wrong_port_is_refused(port: int) -> None:
    """A port that TCP does not have is named in the error."""
    with pytest.raises(ValueError, match=f"port must be 1 to 65535.*{port}"):
        checked_port(port)
