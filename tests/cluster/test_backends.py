"""Back ends die, stand still or are cut off at one relay, while their callers are at the other (faults 1 to 3, 11)."""

import asyncio
import time

from tests.cluster.harness.account import LATENESS, Account
from tests.cluster.harness.backends import BOTH, ONCE, TWICE, BackEnds
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import log_of, until
from tests.relay.harness.peer import Peer, open_socket
from tests.relay.harness.proxy import Proxy

NOTICED = 0.1  # s in which callers at the other relay learn of a callee's kill -9


async def test_kill_9_of_a_back_end_in_the_middle_of_calls(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """Fault 1."""
    here, there = cluster.relays
    [doomed] = await backends.at(there, takes=60_000)
    await alice.at(here).sees(1)
    page = await alice.at(here).frontend()
    for number, cmd in enumerate((ONCE, TWICE, TWICE)):
        await page.send("call", id=str(number), cmd=cmd, data={"a": number})
    await until(lambda: len(backends.began(doomed, TWICE)) == 2, "the calls")
    await backends.at(here)
    await alice.at(here).sees(2)
    killed = time.monotonic()
    doomed.kill()
    await page.assert_received("error", id="0", code="callee_lost")
    assert time.monotonic() - killed < NOTICED
    await alice.at(here).sees(1, seconds=3 * NOTICED)  # sooner than by the next beat
    for _ in range(2):
        frame = await page.assert_received("result")
        assert frame["data"] == {"result": int(frame["id"])}
    await page.assert_silent()
    backends.assert_once(ONCE)
    assert backends.finished(ONCE) == set()
    assert log_of(backends.all, "finished", TWICE) == {"1": 1, "2": 1}


async def test_one_of_three_back_ends_stands_still(cluster: Cluster, alice: ClusterShop, backends: BackEnds) -> None:
    """Fault 2."""
    here, there = cluster.relays
    frozen = (await backends.at(there, here, there))[0]
    await alice.at(here).sees(3)
    pages = [await alice.at(relay).frontend() for relay in (here, here, there)]
    async with (
        Account(pages[0], ONCE, timeout=10_000) as once,
        Account(pages[1], TWICE, timeout=10_000) as twice,
        Account(pages[2], TWICE, timeout=10_000, first=100_000) as beside,
    ):
        await until(lambda: all(len(backends.began(server, ONCE)) > 10 for server in backends.all), "calls to each")
        frozen.freeze()
        stopped = time.monotonic()
        await until(lambda: time.monotonic() > stopped + 8, "time to pass")
    for account in (once, twice, beside):
        await account.assert_each_ended_once()
    assert len(await alice.at(here).servers()) == 2
    frozen.go_on()  # it runs what it had been given before it learns that it was sent away
    await until(lambda: frozen.process.poll() is not None, "its end")

    assert twice.codes.keys() | beside.codes.keys() == {"result"}
    assert max(twice.longest(), beside.longest()) <= 2.5
    assert once.codes.keys() == {"result", "callee_lost"}
    lost = once.numbers("callee_lost")
    assert max(once.ended[number][0][1] for number in lost) <= stopped + 7.5
    assert not backends.began(frozen, ONCE) & once.made(stopped + 2 + LATENESS)
    assert not backends.began(frozen, TWICE) & (
        twice.made(stopped + 2 + LATENESS) | beside.made(stopped + 2 + LATENESS)
    )
    backends.assert_once(ONCE)
    assert once.numbers("result") <= backends.finished(ONCE)


async def test_a_back_end_s_network_is_cut_without_a_word(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """Fault 3."""
    here, there = cluster.relays
    async with Proxy(there.port) as network:
        cut = Peer(await open_socket(network.url(alice.id)))
        alice.peers.append(cut)
        await (await cut.hello(key=alice.private, name="cut off")).register(ONCE)
        await cut.offer(TWICE, **BOTH[TWICE], policy="first")
        await alice.at(here).sees(1)
        await backends.at(here, functions={TWICE: {**BOTH[TWICE], "policy": "first"}})
        await alice.at(here).sees(2)
        page = await alice.at(here).frontend()
        await page.send("call", id="1", cmd=ONCE, data={"a": 1})
        await cut.assert_received("call", cmd=ONCE)
        network.cut()
        began = time.monotonic()
        await page.send("call", id="2", cmd=TWICE, data={"a": 2})
        await page.assert_received("result", id="2", data={"result": 2})
        assert time.monotonic() - began <= 2.5
        await page.assert_received("error", id="1", code="callee_lost")
        assert time.monotonic() - began <= 7.5
        await page.assert_silent()
        await alice.at(here).sees(1)
    assert [server["name"] for server in await alice.at(here).servers()] == [""]
    assert log_of(backends.all, "began", TWICE) == {"2": 1}


async def test_a_rolling_restart_of_back_ends_fails_no_call(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """Fault 11: one at each relay, callers at both; each leaves by SIGTERM, and another comes."""
    old = await backends.at(*cluster.relays)
    for relay in cluster.relays:
        await alice.at(relay).sees(2)
    pages = [await alice.at(relay).frontend() for relay in cluster.relays]
    async with (
        Account(pages[0], ONCE, every=0.005) as first,
        Account(pages[1], ONCE, every=0.005, first=100_000) as second,
    ):
        for server, relay in zip(old, cluster.relays, strict=True):
            done = first.codes["result"]
            await until(lambda done=done: first.codes["result"] > done + 100, "calls between")  # type: ignore[misc]
            assert await asyncio.to_thread(server.stop) == 0
            await backends.at(relay)
        done = first.codes["result"]
        await until(lambda: first.codes["result"] > done + 100, "calls afterwards")
    for account in (first, second):
        await account.assert_each_ended_once()
        assert account.codes.keys() == {"result"}
    began, finished = (sum(log_of(backends.all, word, ONCE).values()) for word in ("began", "finished"))
    assert began == finished == len(first.began) + len(second.began)
