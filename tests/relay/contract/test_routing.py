"""Where calls go when there are three servers, and when all of them are full."""

import time
from collections import Counter

import pytest

from relay.core.calls import MOST_WAITING
from tests.relay.harness.peer import Answer, Frame, Peer
from tests.relay.harness.shop import Shop

LATENESS = 0.25  # s (GP-10)


async def servers_with(shop: Shop, **options: object) -> list[Peer]:
    """Three, each of which answers at once with its own number."""
    servers = []
    for number in range(3):
        server = await (await shop.backend()).offer("which", **options)
        server.serve(answering(number))
        servers.append(server)
    return servers


def answering(number: int) -> Answer:
    async def answer(call: Frame) -> dict[str, int]:
        return {"data": number}

    return answer


async def answers(shop: Shop, calls: int) -> list[int]:
    caller = await shop.frontend()
    return [(await caller.call("which"))["data"] for _ in range(calls)]


@pytest.mark.parametrize("options", [{}, {"policy": "least_in_flight"}, {"policy": "round_robin"}])
async def test_three_idle_servers_take_turns(alice: Shop, options: dict[str, str]) -> None:
    await servers_with(alice, **options)
    assert await answers(alice, 6) == [0, 1, 2, 0, 1, 2]


async def test_the_first_of_three_servers_gets_all_until_it_is_gone(alice: Shop) -> None:
    servers = await servers_with(alice, policy="first")
    assert await answers(alice, 4) == [0] * 4
    await servers[0].close()
    assert await answers(alice, 4) == [1] * 4


async def test_three_servers_at_random_all_get_some(alice: Shop) -> None:
    await servers_with(alice, policy="random")
    counts = Counter(await answers(alice, 300))
    assert all(50 < counts[number] < 150 for number in range(3))  # 6 standard deviations


async def test_the_least_busy_of_three_servers_is_chosen(alice: Shop) -> None:
    servers = [await alice.backend("busy") for _ in range(3)]
    caller = await alice.frontend()
    for number in range(3):
        await caller.send("call", id=f"kept-{number}", cmd="busy")
        kept = await servers[number].assert_received("call")
    await servers[2].send("result", id=kept["id"])
    await caller.assert_received("result", id="kept-2")
    await caller.send("call", id="next", cmd="busy")
    await servers[2].assert_received("call")


async def test_above_their_caps_calls_queue_and_then_the_servers_are_busy(alice: Shop) -> None:
    servers = [await (await alice.backend()).offer("capped", concurrency=2) for _ in range(3)]
    caller = await alice.frontend()
    for number in range(6 + MOST_WAITING):
        await caller.send("call", id=str(number), cmd="capped", data=number, timeout=60_000)
    await caller.assert_silent()
    await caller.send("call", id="too many", cmd="capped")
    await caller.assert_received("error", id="too many", code="server_busy", retryable=True)

    calls = [await server.assert_received("call") for server in servers for _ in range(2)]
    assert sorted(call["data"] for call in calls) == list(range(6))
    for number in range(6, 20):  # first come, first served
        await servers[0].send("result", id=calls[0]["id"], data="done")
        assert (await caller.assert_received("result"))["data"] == "done"
        calls[0] = await servers[0].assert_received("call", data=number)
    for server in servers:
        await server.vanish()
    ended = Counter([(await caller.receive())["code"] for _ in range(6)])
    assert ended == {"callee_lost": 6}


async def test_who_waits_for_room_is_told_at_its_deadline_that_the_server_is_busy(alice: Shop) -> None:
    server, caller = await (await alice.backend()).offer("capped", concurrency=1), await alice.frontend()
    await caller.send("call", id="1", cmd="capped")
    await server.assert_received("call")
    began = time.monotonic()
    await caller.send("call", id="2", cmd="capped", timeout=500)
    await caller.assert_received("error", id="2", code="server_busy")
    assert 0.5 <= time.monotonic() - began <= 0.5 + LATENESS
    await server.assert_silent()
