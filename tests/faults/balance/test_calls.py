"""Real traffic over endpoints that refuse, hang, lie and recover: callers are led around them."""

import asyncio
import socket
from collections import Counter
from random import Random

from loadpath.balance import Balancer, Endpoint, LeastConnections, OutlierRules, Pick
from tests.faults.balance.servers import Handler, saying, serving, then_silent, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Le"
PATIENCE = 0.05


async def get(pick: Pick) -> None:
    """Make a call; what goes wrong is what a client would see."""
    with pick:
        async with asyncio.timeout(PATIENCE):
            endpoint = pick.endpoint
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                pick.answered(int(head.split(b" ")[1]))
            finally:
                writer.transport.abort()


async def traffic(balancer: Balancer, calls: int, *, chance: Random) -> Counter[int]:
    """Make calls, twenty at a time, some of which are cancelled; return who got them."""
    got, places = Counter[int](), asyncio.Semaphore(20)

    async def call() -> None:
        async with places:
            pick = balancer.pick()
            got[pick.endpoint.port] += 1
            task = asyncio.create_task(get(pick))
            if chance.random() < 0.1:
                await asyncio.sleep(chance.uniform(0, 0.002))
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()

    await asyncio.gather(*(call() for _ in range(calls)))
    return got


async def test_callers_are_led_around_what_is_broken() -> None:
    """Three of six refuse, hang or lie: each is found, the others serve, nothing is left."""
    before, chance = asyncio.all_tasks(), Random(1)
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # bound, and never listened on
        async with (
            serving(then_silent(b"")) as hanging,
            serving(saying(HALF)) as lying,
            serving(saying(OK)) as good,
            serving(saying(OK)) as better,
            serving(saying(OK)) as best,
        ):
            refused = Endpoint(host="127.0.0.1", port=refusing.getsockname()[1])
            well = [good.endpoint, better.endpoint, best.endpoint]
            broken = [refused, hanging.endpoint, lying.endpoint]
            balancer = Balancer([*broken, *well], policy=LeastConnections, random=Random(2))
            async with asyncio.timeout(60):
                while any(each.state == "up" for each in balancer.get_server_stats()[:3]):
                    await traffic(balancer, 40, chance=chance)
            got = await traffic(balancer, 200, chance=chance)
            assert set(got) == {each.port for each in well}
            stats = balancer.get_server_stats()
            assert [each.state for each in stats] == ["ejected"] * 3 + ["up"] * 3
            assert [each.active for each in stats] == [0] * 6
            await until(lambda: hanging.connections == lying.connections == 0)
    assert asyncio.all_tasks() <= before


async def test_one_that_recovers_gets_its_calls_back() -> None:
    """503 for a while: out after five, and back when its time is over, by traffic alone."""
    answer = BUSY

    async def recovering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(answer)(reader, writer)

    handler: Handler = recovering
    async with serving(handler) as moody, serving(saying(OK)) as good:
        balancer = Balancer(
            [moody.endpoint, good.endpoint],
            policy=LeastConnections,
            outliers=OutlierRules(base_ejection=0.2, max_ejection=0.2),
            random=Random(2),
        )
        chance = Random(1)
        async with asyncio.timeout(60):
            while balancer.get_server_stats()[0].state == "up":
                await traffic(balancer, 20, chance=chance)
            answer = OK
            served = 0
            while not served:
                served = (await traffic(balancer, 20, chance=chance))[moody.port]
        assert balancer.get_server_stats()[0].state == "up"
