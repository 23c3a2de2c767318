"""A subscriber that moves knows by positions what it has had (GP-23), and by a fence that it had all (GP-24)."""

from typing import Any

import pytest

from relay.backplane import mesh
from relay.backplane.mesh import MOST_OF_ONE
from tests.relay.backplane.network import Network
from tests.relay.core.cast import TICK, Peer


@pytest.fixture
def network() -> Network:
    return Network(2)


@pytest.fixture
def page(network: Network) -> Peer:
    """At the first process."""
    page = network.alice(0).frontend()
    page.subscribes("news")
    return page


@pytest.fixture
def publisher(network: Network) -> Peer:
    """At the second process."""
    publisher = network.alice(1).backend()
    network.settle()
    return publisher


def publishes(*publishers: Peer) -> None:
    for publisher in publishers:
        publisher.sends("publish", channel="news", data=1)


def positions(page: Peer) -> list[Any]:
    return [frame["position"] for frame in page.inbox if frame["type"] == "message"]


def fences(page: Peer) -> None:
    page.sends("unsubscribe", id="fence", channels=[])


def test_positions_ascend_by_one_in_the_epoch_of_the_publisher_s_process(
    network: Network, page: Peer, publisher: Peer
) -> None:
    publishes(*[network.alice(0).backend(), publisher] * 3)
    network.settle()
    told = positions(page)
    epochs = {epoch for epoch, _ in told}
    assert len(epochs) == 2
    for one in epochs:
        assert [offset for epoch, offset in told if epoch == one] == [1, 2, 3]


def test_all_processes_tell_the_same_positions(network: Network, page: Peer, publisher: Peer) -> None:
    publisher.subscribes("news")
    publishes(network.alice(0).backend(), publisher, publisher)
    network.settle()
    assert positions(page) == positions(publisher)


def test_positions_tell_one_project_nothing_of_another(network: Network, page: Peer, publisher: Peer) -> None:
    stranger, listener = network.charlie(1).backend(), network.charlie(0).frontend()
    listener.subscribes("news")
    publishes(publisher, stranger, stranger, publisher)
    network.settle()
    assert [offset for _, offset in positions(page)] == [1, 2]
    assert {epoch for epoch, _ in positions(page)}.isdisjoint({epoch for epoch, _ in positions(listener)})


def test_a_project_that_was_forgotten_begins_a_new_epoch(network: Network, page: Peer, publisher: Peer) -> None:
    publishes(publisher)
    publisher.leaves()
    network.advances(0.1)
    network.nodes[1].relay.hub.tenants.clear()  # as the sweep does it after a while
    publishes(network.alice(1).backend())
    network.settle()
    before, after = positions(page)
    assert (before[1], after[1]) == (1, 1)
    assert before[0] != after[0]


def test_a_fence_comes_behind_what_another_process_has_delivered_already(
    network: Network, page: Peer, publisher: Peer
) -> None:
    publisher.subscribes("news")
    publishes(publisher)
    network.carries(1)
    publisher.assert_received("message")
    fences(page)
    page.assert_silent()
    network.advances(TICK)
    page.assert_received("message")
    page.assert_received("result", id="fence", data={})
    page.assert_silent()


def test_a_fence_whose_batch_is_lost_waits_for_the_next_beat(network: Network, page: Peer) -> None:
    network.loses(0, None)
    fences(page)
    network.advances(TICK)
    page.assert_silent()
    network.advances(0.6)
    page.assert_received("result", id="fence")


def test_a_fence_waits_no_longer_than_a_second(network: Network, page: Peer) -> None:
    network.loses(0, None, 10)
    fences(page)
    network.advances(1.1)
    page.assert_received("result", id="fence")


def test_without_redis_a_fence_does_not_wait(network: Network, page: Peer) -> None:
    fences(page)
    network.redis_goes()
    network.advances(TICK)
    page.assert_received("result", id="fence")
    fences(page)
    page.assert_received("result", id="fence")


def test_a_subscriber_that_leaves_is_not_answered(network: Network, page: Peer) -> None:
    fences(page)
    page.leaves()
    network.advances(TICK)
    assert not network.nodes[0].mesh.catching_up
    assert not network.nodes[0].mesh.of_one


def test_fences_without_end_cost_one_batch_a_tick(network: Network) -> None:
    pages = [network.alice(0).frontend() for _ in range(20)]
    network.advances(0.5)
    before = network.published
    for page in pages * MOST_OF_ONE:
        fences(page)
        network.settle()
    assert network.published == before
    assert not any(page.inbox for page in pages)
    network.advances(TICK)
    assert network.published <= before + 2  # a beat may be due
    assert [len(page.inbox) for page in pages] == [MOST_OF_ONE] * 20


def test_who_fences_without_end_takes_nobody_s_place(
    network: Network, page: Peer, publisher: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Redis is slow."""
    monkeypatch.setattr(mesh, "MOST_CATCHING_UP", 100)
    flood = network.charlie(0).frontend()
    for _ in range(200):
        fences(flood)
    assert len(flood.inbox) == 200 - MOST_OF_ONE
    publishes(publisher)
    network.carries(1)
    fences(page)
    network.advances(TICK)
    page.assert_received("message")
    page.assert_received("result", id="fence")
    assert len(flood.inbox) == 200
    fences(flood)
    assert len(flood.inbox) == 200  # it waits again
