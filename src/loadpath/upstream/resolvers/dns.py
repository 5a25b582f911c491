"""Endpoints from DNS: A and AAAA records of a name, or its SRV records.

A name is asked again when its records' time to live is over, no sooner than `floor` and no later
than `ceiling`. An answer that fails or is empty changes nothing: the last good set stays.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import inf
from typing import Any

from loadpath.upstream.errors import ExtraMissingError
from loadpath.upstream.resolvers.poll import Found, checked_wait, poll
from loadpath.upstream.resolvers.records import Srv, from_addresses, from_services, wait
from loadpath.upstream.resolvers.resolver import Stream

try:
    import dns.asyncbackend
    import dns.asyncresolver
    import dns.resolver
except ModuleNotFoundError as error:
    raise ExtraMissingError("resolving by DNS", "dns") from error

Client = dns.asyncresolver.Resolver
Addresses = tuple[list[str], float]
"""Addresses, and the least time to live of what named them (s)."""

RETRY = 5.0
"""Wait after an answer that failed or was empty, within floor and ceiling (s)."""

AT_ONCE = 16
"""Targets of SRV records that are resolved at a time."""

dns.asyncbackend.get_backend("asyncio")  # imports it now, and not while a loop runs


class _Asker:
    """Ask a client of dnspython, the system's own where none was handed in."""

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._places = asyncio.Semaphore(AT_ONCE)

    async def records(self, name: str, kind: str) -> dns.resolver.Answer:
        """Return the answer to one question, perhaps without records."""
        if self._client is None:
            self._client = await asyncio.to_thread(Client)  # reads resolv.conf
        return await self._client.resolve(name, kind, raise_on_no_answer=False)

    async def addresses(self, name: str) -> Addresses:
        """Return the addresses of both families.

        Raises:
            DNSException: One of the two questions failed, so what is known is not the whole.
        """
        answers = [await self.records(name, kind) for kind in ("A", "AAAA")]
        found = [record.address for answer in answers for record in answer.rrset or ()]
        return found, min(_ttl(each) for each in answers)

    async def targets(self, names: Iterable[str]) -> dict[str, Addresses]:
        """Return the addresses of servers; one whose name does not exist has none.

        Raises:
            DNSException: A question failed otherwise.
        """
        unique = sorted(set(names))
        found = await asyncio.gather(*map(self._target, unique), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return {n: each for n, each in zip(unique, found, strict=True) if isinstance(each, tuple)}

    async def _target(self, name: str) -> Addresses:
        async with self._places:
            try:
                return await self.addresses(name)
            except dns.resolver.NXDOMAIN:
                return [], inf


class _NameResolver(ABC):
    """Ask for a name again and again.

    Args:
        name: The name.
        client: Resolver of dnspython that is asked; None for the system's servers.
        floor: How soon a name is asked again at the earliest (s).
        ceiling: How soon at the latest (s).
    """

    def __init__(self, name: str, *, client: Client | None, floor: float, ceiling: float) -> None:
        if not name:
            raise ValueError("name must not be empty")
        self._name = name
        self._client = client
        self._floor = checked_wait("floor", floor)
        self._ceiling = checked_wait("ceiling", ceiling)
        if floor > ceiling:
            raise ValueError(f"floor must be at most ceiling, not {floor} and {ceiling}")

    async def watch(self) -> Stream:
        """Give the set of the name, then each one that it becomes."""
        asker = _Asker(self._client)

        async def look() -> Found:
            found, ttl = await self._look(asker)
            return found, self._wait(ttl)

        async for found in poll(f"DNS {self._name}", look, retry=self._wait(RETRY)):
            yield found

    @abstractmethod
    async def _look(self, asker: _Asker) -> Found:
        """Return the set, and its time to live (s)."""

    def _wait(self, ttl: float) -> float:
        return wait(ttl, floor=self._floor, ceiling=self._ceiling)


class DnsResolver(_NameResolver):
    """Give the addresses that a name has, whenever they change.

    Args:
        name: The name.
        port: Port of the service; DNS does not know it.
        client: Resolver of dnspython that is asked; None for the system's servers.
        floor: How soon a name is asked again at the earliest (s).
        ceiling: How soon at the latest (s).
    """

    def __init__(
        self,
        name: str,
        port: int,
        *,
        client: Client | None = None,
        floor: float = 1.0,
        ceiling: float = 300.0,
    ) -> None:
        super().__init__(name, client=client, floor=floor, ceiling=ceiling)
        self._port = port

    async def _look(self, asker: _Asker) -> Found:
        addresses, ttl = await asker.addresses(self._name)
        return from_addresses(addresses, self._port), ttl


class SrvResolver(_NameResolver):
    """Give what the SRV records of a name offer, whenever that changes.

    The targets are resolved too; weight and priority become the endpoints'.

    Args:
        name: Such as `_http._tcp.orders.internal`.
        client: Resolver of dnspython that is asked; None for the system's servers.
        floor: How soon a name is asked again at the earliest (s).
        ceiling: How soon at the latest (s).
    """

    def __init__(
        self,
        name: str,
        *,
        client: Client | None = None,
        floor: float = 1.0,
        ceiling: float = 300.0,
    ) -> None:
        super().__init__(name, client=client, floor=floor, ceiling=ceiling)

    async def _look(self, asker: _Asker) -> Found:
        answer = await asker.records(self._name, "SRV")
        records = [_srv(record) for record in answer.rrset or ()]
        targets = await asker.targets(each.target for each in records)
        found = from_services(records, {name: known for name, (known, _) in targets.items()})
        return found, min([_ttl(answer), *(least for _, least in targets.values())])


def _srv(record: Any) -> Srv:
    return Srv(
        priority=record.priority,
        weight=record.weight,
        port=record.port,
        target=record.target.to_text(),
    )


def _ttl(answer: dns.resolver.Answer) -> float:
    """Return how long an answer holds (s), aliases on the way and absence included."""
    return float(answer.chaining_result.minimum_ttl)
