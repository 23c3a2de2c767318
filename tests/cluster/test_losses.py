"""Answers that are forged, come twice or too late (fault 17), and messages that Redis never brought (fault 18)."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cluster.harness.backends import ONCE, TWICE, BackEnds
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.cut import Cut
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.observability.scraped import Scraped
from tests.relay.contract.conftest import log_of, until
from tests.relay.harness.peer import Peer

SOON = 3_000  # ms


async def test_a_forged_result_a_replayed_one_and_a_late_one_reach_nobody(
    cluster: Cluster, alice: ClusterShop, charlie: ClusterShop
) -> None:
    """Fault 17: whoever forges it, at whichever relay, by whichever of the ids that the two give the call."""
    here, there = [alice.at(relay) for relay in cluster.relays]
    callee = await there.backend("true")
    await here.sees(1)
    page = await here.frontend()
    forgers = [await shop.backend() for shop in (here, there)] + [await here.frontend(), page]
    strangers = [await charlie.at(relay).backend() for relay in cluster.relays]
    other = await there.frontend()
    await other.send("call", id="its own", cmd="true")  # so that the two ids differ
    await callee.send("result", id=(await callee.assert_received("call"))["id"])
    await other.assert_received("result", id="its own")
    await page.send("call", id="1", cmd="true")
    call = await callee.assert_received("call", id="2")
    for forger in (*forgers, *strangers):
        await answer_falsely(forger, "1", "2")
    for data in ("the true one", "twice"):
        await callee.send("result", id=call["id"], data=data)
    await page.assert_received("result", id="1", data="the true one")

    await page.send("call", id="2", cmd="true", timeout=100)
    call = await callee.assert_received("call")
    await page.assert_received("error", id="2", code="deadline_exceeded")
    await callee.assert_received("cancel", id=call["id"])
    await callee.send("result", id=call["id"], data="late")
    await callee.assert_silent()
    await page.assert_silent()
    counted = Counter(await here.calls()) + Counter(await there.calls())
    assert counted["forged"] + counted["late"] == len(forgers) * 3 * 2 + len(["twice", "late"])
    assert (counted["result"], counted["deadline_exceeded"]) == (2, 1)


async def answer_falsely(forger: Peer, *ids: str) -> None:
    for id in ids:
        for kind in ("progress", "result", "error"):
            await forger.send(kind, id=id, data="forged")
    await forger.assert_silent()


# --- messages that are lost -------------------------------------------------------------------------------------------


@pytest.fixture
def cut(cluster: Cluster) -> Iterator[Cut]:
    cut = Cut(cluster.redis)
    yield cut
    cut.close()


@pytest.fixture
def lossy(cluster: Cluster, cut: Cut) -> Iterator[Relay]:
    """A relay that does not hear all that the others say."""
    relay = Relay(cluster.home, REDIS_URL=cut.url)
    relay.start()
    yield relay
    relay.close()


async def test_a_lost_message_is_noticed_and_answered(
    cluster: Cluster, alice: ClusterShop, backends: BackEnds, cut: Cut, lossy: Relay
) -> None:
    """Fault 18, of each kind: a call, a result, a server that came and one that went, a publish. All are counted."""
    here = cluster.relays[0]
    await backends.at(lossy)
    await alice.at(here).sees(1)
    near, far = await alice.at(here).frontend(), await alice.at(lossy).frontend()

    cut.lose(holding=b'"type":"call"')
    for id, cmd in (("1", ONCE), ("2", TWICE)):  # the second one is not lost, and does not overtake without a word
        await near.send("call", id=id, cmd=cmd, data={"a": int(id)}, timeout=SOON)
    frames = {frame["id"]: frame for frame in (await near.receive(), await near.receive())}
    assert {id: frame.get("data") for id, frame in frames.items()} == {"1": {"result": 1}, "2": {"result": 2}}
    assert cut.lost == 1
    backends.assert_once(ONCE)

    [server] = await backends.at(here, functions={"near:add": {}})
    await alice.at(lossy).sees(2)
    cut.lose(holding=b'"type":"result"')
    await far.send("call", id="3", cmd="near:add", data={"a": 3}, timeout=SOON)
    await far.assert_received("result", id="3", data={"result": 3})
    assert cut.lost == 2
    assert log_of([server], "began", "near:add") == {"3": 1}

    cut.lose(holding=alice.id.encode())
    arriving = await alice.at(here).backend("late:add")
    await alice.at(lossy).sees(3)
    cut.lose(holding=alice.id.encode())
    await arriving.close()
    await alice.at(lossy).sees(2)
    assert cut.lost == 4

    publisher = await alice.at(here).backend()
    await alice.at(lossy).sees(3)
    reader = await far.subscribe("news")
    cut.lose(holding=b'"type":"message"')
    for number in range(3):
        await publisher.send("publish", id="1", channel="news", data=number)
        told = await publisher.assert_received("result")
        assert told["data"]["receivers"] == (number > 0)
    assert [(await reader.assert_received("message"))["data"] for _ in range(2)] == [1, 2]
    assert cut.lost == 5
    assert Scraped(lossy).value("gluer_backplane_lost_total") == cut.lost
    await near.assert_silent()
    await far.assert_silent()


async def test_lost_progress_is_told_to_its_caller(
    cluster: Cluster, alice: ClusterShop, cut: Cut, lossy: Relay
) -> None:
    server = await alice.at(cluster.relays[0]).backend("report")
    await alice.at(lossy).sees(1)
    page = await alice.at(lossy).frontend()
    await page.send("call", id="1", cmd="report")
    call = await server.assert_received("call")
    for number in range(4):
        lost = cut.lost
        if number in (1, 3):
            cut.lose(holding=b'"type":"progress"')
        await server.send("progress", id=call["id"], data=number)
        if number in (1, 3):
            await until(lambda lost=lost: cut.lost > lost, "the loss")  # type: ignore[misc]
        else:
            told = await page.assert_received("progress", id="1", data=number)
            assert told.get("missed", 0) == number / 2
    await server.send("result", id=call["id"], data="done")
    await page.assert_received("result", id="1", data="done", missed=1)
    await page.assert_silent()


async def test_a_lost_cancel_reaches_the_callee_all_the_same(
    cluster: Cluster, alice: ClusterShop, cut: Cut, lossy: Relay
) -> None:
    callee = await alice.at(lossy).backend("patient")
    await alice.at(cluster.relays[0]).sees(1)
    page = await alice.at(cluster.relays[0]).frontend()
    await page.send("call", id="1", cmd="patient")
    call = await callee.assert_received("call")
    cut.lose(holding=b'"type":"cancel"')
    await page.send("cancel", id="1")
    await page.assert_received("error", id="1", code="cancelled")
    await callee.assert_received("cancel", id=call["id"])
    assert cut.lost == 1
