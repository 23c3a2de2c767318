"""A relay process dies, stands still, or comes later, while the other one goes on (faults 4, 5 and 16)."""

import time

from tests.cluster.harness.account import LATENESS, Account
from tests.cluster.harness.backends import ONCE, TWICE, BackEnds
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import log_of, until

GIVEN_UP = 3.0  # s in which calls to and from a relay that is gone have ended
BACK = 5.0  # s in which one that comes back is used again
SLOW = "slow:add"


async def test_kill_9_of_a_relay(cluster: Cluster, alice: ClusterShop, backends: BackEnds) -> None:
    """Fault 4. What its own callers were not told, their SDKs end; everybody else's calls are answered or ended."""
    here, doomed = cluster.relays
    [staying, _] = await backends.at(here, doomed)
    [slow] = await backends.at(here, functions={SLOW: {}}, takes=60_000)
    for relay in cluster.relays:
        await alice.at(relay).sees(3)
    pages = [await alice.at(relay).frontend() for relay in (here, here, doomed, doomed)]
    async with (
        Account(pages[0], ONCE) as once,
        Account(pages[1], TWICE) as twice,
        Account(pages[2], ONCE, first=100_000) as its_own,
        Account(pages[3], SLOW, every=0.1),
    ):
        await until(lambda: once.codes["result"] > 50 and its_own.codes["result"] > 50, "calls before")
        await until(lambda: len(backends.began(slow, SLOW)) > 5, "long calls of its callers")
        killed = doomed.kill()
        await until(lambda: time.monotonic() > killed + GIVEN_UP + 1, "time to pass")
    for account in (once, twice):
        await account.assert_each_ended_once()
    its_own.assert_ended_at_most_once()

    assert twice.codes.keys() == {"result"}
    assert twice.longest() <= GIVEN_UP
    assert once.codes.keys() == {"result", "callee_lost"}
    assert max(once.ended[number][0][1] for number in once.numbers("callee_lost")) <= killed + GIVEN_UP
    assert its_own.closed_at is not None
    assert its_own.closed_at - killed < LATENESS
    assert set(log_of([slow], "stopped", SLOW)) == backends.began(slow, SLOW)  # nobody waits for these any more
    backends.assert_once(ONCE)
    assert once.numbers("result") <= backends.finished(ONCE)
    assert backends.began(staying, ONCE) >= once.made(killed + GIVEN_UP)


async def test_a_relay_stands_still_for_ten_seconds_and_goes_on(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """Fault 5. Meanwhile nobody else waits for it, and afterwards it is one of them again."""
    here, frozen = cluster.relays
    [_, beyond] = await backends.at(here, frozen)
    for relay in cluster.relays:
        await alice.at(relay).sees(2)
    pages = [await alice.at(relay).frontend() for relay in (here, here, frozen)]
    async with (
        Account(pages[0], ONCE, timeout=4_000) as once,
        Account(pages[1], TWICE, timeout=4_000) as twice,
        Account(pages[2], ONCE, timeout=4_000, first=100_000) as its_own,
    ):
        await until(lambda: once.codes["result"] > 50 and its_own.codes["result"] > 50, "calls before")
        frozen.freeze()
        stopped = time.monotonic()
        await until(lambda: time.monotonic() > stopped + 10, "ten seconds")
        begun = backends.began(beyond, ONCE)
        frozen.go_on()
        went_on = time.monotonic()
        await until(lambda: time.monotonic() > went_on + BACK, "time to come back")
        back = time.monotonic()
        await until(lambda: len(backends.began(beyond, ONCE) & once.made(back)) > 20, "new calls over it", 5)
        await until(lambda: len(its_own.numbers("result") & its_own.made(back)) > 20, "new calls from it", 5)
    for account in (once, twice):
        await account.assert_each_ended_once()
    its_own.assert_ended_at_most_once()
    assert its_own.ended.keys() == its_own.began.keys()

    assert twice.codes.keys() == {"result"}
    assert twice.longest() <= GIVEN_UP
    assert once.codes.keys() <= {"result", "callee_lost"}
    assert once.longest(once.numbers("callee_lost")) <= GIVEN_UP
    assert once.codes_of(once.made(stopped + GIVEN_UP, went_on)) == {"result"}
    assert not (backends.began(beyond, ONCE) - begun) & once.made(stopped + GIVEN_UP, went_on)
    assert max(once.last_trouble(), its_own.last_trouble()) <= went_on + BACK
    backends.assert_once(ONCE)
    assert once.numbers("result") | its_own.numbers("result") <= backends.finished(ONCE)


async def test_calls_made_while_their_relay_stood_still_run_once_and_are_answered(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds
) -> None:
    """The other relay took theirs for dead, which does not know it when it reads them."""
    frozen, other = cluster.relays
    await backends.at(*cluster.relays)
    [server] = await backends.at(other, functions={SLOW: {}})
    for relay in cluster.relays:
        await alice.at(relay).sees(3)
    page = await alice.at(frozen).frontend()
    frozen.freeze()
    await alice.at(other).sees(2)
    numbers = {str(number) for number in range(50)}
    for number in numbers:
        await page.send("call", id=number, cmd=SLOW, data={"a": int(number), "b": 0})
    frozen.go_on()
    ended = [await page.receive() for _ in numbers]
    assert {frame["type"] for frame in ended} == {"result"}, ended
    assert {frame["id"] for frame in ended} == numbers
    assert log_of([server], "began", SLOW) == dict.fromkeys(numbers, 1)


async def test_a_relay_that_starts_later_knows_all_servers(
    cluster: Cluster, alice: ClusterShop, charlie: ClusterShop, backends: BackEnds
) -> None:
    """Fault 16. As shipped: what is called before it knows is held until it does (GP-16)."""
    await backends.at(*cluster.relays)
    late = Relay(cluster.home, GLUER_SETTLING="10")
    try:
        late.start()
        page, stranger = await alice.at(late).frontend(), await charlie.at(late).frontend()
        began = time.monotonic()
        for number in range(4):
            await page.send("call", id=str(number), cmd=ONCE, data={"a": number})
        assert sorted([(await page.receive())["data"]["result"] for _ in range(4)]) == [0, 1, 2, 3]
        assert time.monotonic() - began < 1
        await alice.at(late).sees(2)
        for number in range(4, 8):  # those before may all have gone to the first that it heard of
            await page.send("call", id=str(number), cmd=ONCE, data={"a": number})
        assert sorted([(await page.receive())["data"]["result"] for _ in range(4)]) == [4, 5, 6, 7]
        for server in backends.all:
            assert backends.began(server, ONCE)
        assert await charlie.at(late).servers() == []
        await stranger.assert_silent()
        for peer in (page, stranger):
            await peer.close()
        late.drain()
    finally:
        late.close()
    await alice.at(cluster.relays[0]).sees(2)


async def test_a_relay_that_restarts_while_a_back_end_is_away_holds_its_calls(
    cluster: Cluster, alice: ClusterShop
) -> None:
    """Though it holds calls of no unknown name: the other relay tells it of the function."""
    restarted, other = cluster.relays
    await (await alice.at(other).backend(ONCE)).close()
    await alice.at(other).backend("something:else")
    restarted.restart()
    await alice.at(restarted).sees(1)
    page = await alice.at(restarted).frontend()
    await page.send("call", id="1", cmd=ONCE)
    await page.send("call", id="2", cmd="never:registered")
    await page.assert_received("error", id="2", code="no_such_function")
    back = await alice.at(other).backend()
    await back.send("register", id="r", functions=[{"name": ONCE}])
    came = {frame["type"]: frame for frame in [await back.receive(), await back.receive()]}
    await back.send("result", id=came["call"]["id"], data="back")
    await page.assert_received("result", id="1", data="back")
