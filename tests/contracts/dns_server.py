"""A DNS server on loopback whose zone a test changes while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]


class DnsServer(asyncio.DatagramProtocol):
    """Answer from a zone.

    Attributes:
        zone: Name and kind to records, as they are written in a zone file.
        ttl: Time to live of every answer (s).
        failing: Answer SERVFAIL instead.
        silent: Answer nothing instead.
        asked: Questions so far.
    """

    def __init__(self) -> None:
        self.zone: Zone = {}
        self.ttl = 0
        self.failing = self.silent = False
        self.asked = 0
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        self.asked += 1
        if not self.silent:
            self._transport.sendto(self._answer(dns.message.from_wire(data)).to_wire(), addr)

    def client(self) -> dns.asyncresolver.Resolver:
        """Return a client that asks this server and no other."""
        client = dns.asyncresolver.Resolver(configure=False)
        host, port = self._transport.get_extra_info("sockname")
        client.nameservers = [host]
        client.port = port
        client.lifetime = client.timeout = 0.3
        return client

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        if self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        for kind in (dns.rdatatype.to_text(question.rdtype), "CNAME"):
            if records := self.zone.get((name, kind)):
                rrset = dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, records)
                answer.answer.append(rrset)
                break
        return answer


@asynccontextmanager
async def dns_server(zone: Zone | None = None) -> AsyncIterator[DnsServer]:
    """Run a DNS server over UDP on a free port of loopback."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(DnsServer, local_addr=("127.0.0.1", 0))
    server.zone = zone or {}
    try:
        yield server
    finally:
        transport.close()
