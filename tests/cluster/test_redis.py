"""Redis dies, stands still, ends connections, or is cut off from one relay (faults 6 to 8)."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.cluster.harness.account import Account
from tests.cluster.harness.backends import BackEnds
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.cut import Cut
from tests.cluster.harness.redis import Redis
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import until
from tests.relay.harness.peer import Peer

AWAY = 5.0  # s
TOLD = 1.2  # s in which a caller is told that the other process cannot be reached
MENDED = 5.0  # s
NEAR, FAR = "near:add", "far:add"
HARMED = {"result", "relay_unavailable", "callee_lost", "deadline_exceeded"}


async def dies(redis: Redis) -> None:
    redis.kill()
    await asyncio.sleep(AWAY)  # nothing comes that could be waited for
    await asyncio.to_thread(redis.start)


async def stands_still(redis: Redis) -> None:
    redis.freeze()
    await asyncio.sleep(AWAY)
    redis.go_on()


async def sleeps(redis: Redis) -> None:
    redis.sleep(AWAY)
    await asyncio.sleep(AWAY)


Harm = Callable[[Redis], Awaitable[None]]


@pytest.mark.parametrize("harm", [dies, stands_still, sleeps])
async def test_redis_is_away_and_comes_back(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds, harm: Harm
) -> None:
    """Faults 6 and 7: inside a process calls go on, the others' callers are told, and all mends by itself."""
    here, there = cluster.relays
    await backends.at(here, functions={NEAR: {}})
    await backends.at(there, functions={FAR: {}})
    await alice.at(here).sees(2)
    publisher = await alice.at(there).backend()
    reader = await (await alice.at(here).frontend()).subscribe("news")
    pages = [await alice.at(here).frontend() for _ in range(2)]
    async with Account(pages[0], NEAR) as near, Account(pages[1], FAR) as far:
        await until(lambda: near.codes["result"] > 50 and far.codes["result"] > 50, "calls before")
        harmed = time.monotonic()
        await harm(cluster.redis)
        back = time.monotonic()
        await until(lambda: time.monotonic() > back + MENDED, "time to mend")
        assert await published(publisher) == 1
        await until(lambda: len(far.made(back + MENDED)) > 20, "calls afterwards")
    for account in (near, far):
        await account.assert_each_ended_once()
    await reader.assert_received("message", data="after it all")

    assert near.codes.keys() == {"result"}
    assert near.longest() < TOLD
    away = far.made(harmed, back - TOLD)
    waiting = {number for number in away if far.took(number) > TOLD}
    assert len(waiting) <= 1  # the one that was being published: whether it arrived, nobody knows
    assert far.codes_of(away - waiting) <= {"relay_unavailable", "result"}
    assert far.codes_of(far.made(harmed + TOLD, back - TOLD)) == {"relay_unavailable"}
    assert far.last_trouble() <= back + MENDED
    backends.assert_once(NEAR)
    backends.assert_once(FAR)
    assert far.numbers("result") <= backends.finished(FAR)


async def published(publisher: Peer) -> int:
    """Publish a message; how many got it."""
    await publisher.send("publish", id="1", channel="news", data="after it all")
    receivers: int = (await publisher.assert_received("result"))["data"]["receivers"]
    return receivers


async def test_redis_ends_the_relays_connections_again_and_again(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """Fault 8."""
    here, there = cluster.relays
    await backends.at(here, functions={NEAR: {}})
    await backends.at(there, functions={FAR: {}})
    await alice.at(here).sees(2)
    connections = cluster.redis.connections()
    pages = [await alice.at(here).frontend() for _ in range(2)]
    async with Account(pages[0], NEAR) as near, Account(pages[1], FAR) as far:
        await until(lambda: far.codes["result"] > 50, "calls before")
        for _ in range(3):
            assert cluster.redis.kill_clients() >= 4  # two relays, each with one to publish and one to listen
            killed = time.monotonic()
            done = far.codes["result"]
            await until(lambda done=done: far.codes["result"] > done + 50, "calls in between", MENDED)  # type: ignore[misc]
        await until(lambda: time.monotonic() > killed + MENDED, "time to mend")
        await until(lambda: len(far.made(killed + MENDED)) > 20, "calls afterwards")
    for account in (near, far):
        await account.assert_each_ended_once()
    assert near.codes.keys() == {"result"}
    assert far.codes.keys() <= HARMED
    assert far.last_trouble() <= killed + MENDED
    backends.assert_once(FAR)
    assert far.numbers("result") <= backends.finished(FAR)
    assert cluster.redis.connections() <= connections


async def test_one_relay_is_cut_off_from_redis(cluster: Cluster, alice: ClusterShop, backends: BackEnds) -> None:
    """It knows that itself; the others take it for dead, until it is back."""
    here = cluster.relays[0]
    cut = Cut(cluster.redis)
    lonely = Relay(cluster.home, REDIS_URL=cut.url)
    try:
        lonely.start()
        await backends.at(here, functions={FAR: {}})
        await backends.at(lonely, functions={NEAR: {}})
        for relay in (here, lonely):
            await alice.at(relay).sees(2)
        pages = [await alice.at(relay).frontend() for relay in (lonely, lonely, here)]
        async with (
            Account(pages[0], NEAR) as near,
            Account(pages[1], FAR) as far,
            Account(pages[2], NEAR, first=100_000) as beside,
        ):
            await until(lambda: min(account.codes["result"] for account in (near, far, beside)) > 20, "calls before")
            cut.freeze()
            harmed = time.monotonic()
            await asyncio.sleep(AWAY)
            cut.mend()
            back = time.monotonic()
            await until(lambda: time.monotonic() > back + MENDED, "time to mend")
            await until(lambda: len(far.made(back + MENDED)) > 20, "calls afterwards")
        for account in (near, far, beside):
            await account.assert_each_ended_once()
    finally:
        lonely.close()
        cut.close()
    assert near.codes.keys() == {"result"}
    assert far.codes_of(far.made(harmed + TOLD, back - TOLD)) == {"relay_unavailable"}
    assert far.longest(far.made(harmed + TOLD, back)) <= TOLD
    assert beside.codes_of(beside.made(harmed, back)) <= {"callee_lost", "no_server_online", "result"}
    assert max(account.last_trouble() for account in (far, beside)) <= back + MENDED
    for cmd in (NEAR, FAR):
        backends.assert_once(cmd)


async def test_what_is_refused_while_redis_stands_still_is_not_counted(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """GP-40: calls and publishes, by WebSocket and by HTTP; what was answered is counted once."""
    here, there = cluster.relays
    await backends.at(there, functions={FAR: {}})
    await alice.at(here).sees(1)
    page, publisher = await alice.at(here).frontend(), await alice.at(here).backend()
    by_http = ["/v1/call/" + FAR] * 50 + ["/v1/publish/news"] * 50
    cluster.redis.freeze()
    frozen = time.monotonic()
    posts = [asyncio.create_task(alice.at(here).post(path, alice.private, json={"a": 1, "b": 1})) for path in by_http]
    for number in range(50):
        await page.send("call", id=str(number), cmd=FAR, data={"a": 1, "b": 1}, timeout=10_000)
        await publisher.send("publish", id=str(number), channel="news")
        await asyncio.sleep(0.02)  # about as long as Redis is waited for
    await until(lambda: time.monotonic() > frozen + 3, "Redis to have stood still")
    cluster.redis.go_on()
    answers = [await peer.receive_some_time() for peer in (page, publisher) for _ in range(50)]
    statuses = [answer.status_code for answer in await asyncio.gather(*posts)]
    answered = [answer["type"] for answer in answers].count("result") + statuses.count(200)
    assert {answer.get("code", "result") for answer in answers} <= {"result", "relay_unavailable"}
    assert set(statuses) <= {200, 503}
    assert answered < 100

    for _ in range(50):
        if (await page.call(FAR, {"a": 1, "b": 1}))["type"] == "result":
            break
        await asyncio.sleep(0.1)  # until the other process is reached again
    await asyncio.to_thread(cluster.until_counted, alice, answered + 1)
    assert cluster.used(alice) == answered + 1
