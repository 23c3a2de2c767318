"""Much at once between two relays: a burst of results, a reader that stops, thousands who come and go
(faults 12 to 14)."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import until
from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.raw import RawSocket

MIB = 1_048_576
BURST = 10_000
VISITORS = 10_000
AT_REST = 3_000  # visitors of one relay after which its memory grows by little
AT_ONCE = 40
LIMITS = ("IN_FLIGHT", "RATE", "IP_RATE", "KEY_RATE", "IP_HELLOS", "KEY_HELLOS")


@pytest.fixture(scope="module")
def wide(one_cluster: Cluster) -> Iterator[list[Relay]]:
    """Two relays whose limits let a crowd in that comes from one address."""
    relays = [Relay(one_cluster.home, **{f"GLUER_LIMIT_{name}": "1000000" for name in LIMITS}) for _ in range(2)]
    try:
        for relay in relays:
            relay.start()
        yield relays
        for relay in relays:
            relay.drain()
    finally:
        for relay in relays:
            relay.close()


async def test_a_burst_of_ten_thousand_results_to_one_connection(alice: ClusterShop, wide: list[Relay]) -> None:
    """Fault 12: the callee answers all at once, when it has all."""
    here, there = [alice.at(relay) for relay in wide]
    callee = await there.backend("burst")
    await here.sees(1)
    page = await here.frontend()
    calling = asyncio.create_task(call_often(page))
    calls = [await callee.assert_received("call", data=number) for number in range(BURST)]
    await calling
    await page.assert_silent()
    answering = asyncio.create_task(answer_all(callee, calls))
    for number in range(BURST):  # what one callee says to one caller stays in order
        await page.assert_received("result", id=str(number), data=number)
    await answering
    await page.assert_silent()
    await callee.assert_silent()


async def call_often(page: Peer) -> None:
    for number in range(BURST):
        await page.send("call", id=str(number), cmd="burst", data=number, timeout=60_000)


async def answer_all(callee: Peer, calls: list[Frame]) -> None:
    for call in calls:
        await callee.send("result", id=call["id"], data=call["data"])


async def test_a_reader_that_stops_reading_does_not_hold_up_others(alice: ClusterShop, wide: list[Relay]) -> None:
    """Fault 13: it is closed with 4430; who reads hears everything, on both sides."""
    here, there = [alice.at(relay) for relay in wide]
    publisher = await there.backend()
    readers = [await (await shop.frontend()).subscribe("news") for shop in (here, there)]
    slow = await here.socket(max_queue=1)
    await (await slow.hello(key=alice.public)).subscribe("news")
    callee = await there.calculator()
    await here.sees(2)
    page = await here.frontend()
    number, fill = 80, "x" * (MIB // 2)
    hearing = [asyncio.create_task(heard(reader, number)) for reader in readers]
    for message in range(number):
        await publisher.send("publish", id="1", channel="news", data={"n": message, "fill": fill})
        receivers = (await publisher.assert_received("result"))["data"]["receivers"]
        assert receivers in (2, 3)
        assert (await page.call("calculator:add", {"a": message, "b": 0}))["data"] == {"result": message}
    assert receivers == 2
    for numbers in hearing:
        assert await numbers == list(range(number))
    got = await slow.assert_closed(4430, code="slow_consumer", reconnect=True)
    assert [frame["data"]["n"] for frame in got] == list(range(len(got)))  # a part, without a hole
    assert len(got) < number
    assert callee.close_code is None


async def heard(reader: Peer, number: int) -> list[int]:
    return [(await reader.assert_received("message"))["data"]["n"] for _ in range(number)]


async def test_ten_thousand_come_and_go_and_leave_nothing(
    cluster: Cluster, alice: ClusterShop, wide: list[Relay]
) -> None:
    """Fault 14: front ends with a call to the other relay under way, and back ends whom both relays know."""
    callee = await alice.at(wide[1]).backend("patient")
    await alice.at(wide[0]).sees(1)
    hearing = asyncio.create_task(ignore(callee))
    await visit(alice, wide, 2 * AT_REST)
    await alone(alice, wide)
    memory = [relay.memory() for relay in wide]
    descriptors = [relay.descriptors() for relay in wide]
    connections = cluster.redis.connections()
    await visit(alice, wide, VISITORS)
    await alone(alice, wide)
    await until(
        lambda: all(relay.descriptors() <= before + 8 for relay, before in zip(wide, descriptors, strict=True)),
        "closed sockets",
    )
    assert cluster.redis.connections() <= connections
    grown = [relay.memory() - before for relay, before in zip(wide, memory, strict=True)]
    print(f"{VISITORS} came and went: {[round(each / MIB, 1) for each in grown]} MiB")
    assert max(grown) < 5 * MIB
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing


async def visit(shop: ClusterShop, relays: list[Relay], number: int) -> None:
    """So many come and go, by turns at each relay; every tenth is a back end."""
    page = ({"type": "hello", "key": shop.public}, {"type": "call", "id": "1", "cmd": "patient"}, {"type": "ping"})
    functions = [{"name": "visiting"}]
    server = ({"type": "hello", "key": shop.private}, {"type": "register", "id": "1", "functions": functions})
    left = iter(range(number))

    async def some() -> None:
        for each in left:
            frames, last = (page, b'"pong"') if each % 10 else (server, b'"result"')
            socket = await RawSocket.open(relays[each % 2].port, shop.id, *frames)
            await socket.until(last)
            await socket.close()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def alone(shop: ClusterShop, relays: list[Relay]) -> None:
    """All visitors' back ends have left the lists, and no call is under way."""
    for relay in relays:
        await shop.at(relay).sees(1)


async def ignore(callee: Peer) -> None:
    while True:
        frame = json.loads(await callee.socket.recv())
        if frame["type"] == "ping":
            await callee.send("pong")
