"""A publish reaches the subscribers of all processes, in one order (GP-20)."""

import pytest

from relay.backplane.messages import Receivers
from tests.relay.backplane.network import ADD, Network
from tests.relay.core.cast import Peer


@pytest.fixture
def network() -> Network:
    return Network(3)


@pytest.fixture
def subscribers(network: Network) -> list[Peer]:
    """A page on each process."""
    pages = [network.alice(number).frontend() for number in range(3)]
    for page in pages:
        page.subscribes("news")
    return pages


@pytest.fixture
def publisher(network: Network) -> Peer:
    publisher = network.alice(1).backend()
    network.settle()
    return publisher


def publishes(publisher: Peer, data: object = None, **fields: object) -> None:
    publisher.sends("publish", channel="news", data=data, **fields)


def test_a_publish_reaches_the_subscribers_of_all_processes(
    network: Network, subscribers: list[Peer], publisher: Peer
) -> None:
    publishes(publisher, {"a": 1})
    network.settle()
    for page in subscribers:
        page.assert_received("message", channel="news", data={"a": 1})
        page.assert_silent()
    publisher.assert_silent()


def test_all_see_the_messages_of_two_publishers_in_one_order(network: Network, subscribers: list[Peer]) -> None:
    publishers = [network.alice(number).backend() for number in range(3)]
    network.settle()
    for number in range(30):
        publishes(publishers[number % 3], number)
        if number % 4 == 0:
            network.settle()
    network.settle()
    orders = [[frame["data"] for frame in page.inbox] for page in subscribers]
    assert sorted(orders[0]) == list(range(30))
    assert orders[0] == orders[1] == orders[2]


def test_the_publishers_own_process_too_waits_for_the_common_order(
    network: Network, subscribers: list[Peer], publisher: Peer
) -> None:
    publishes(publisher)
    subscribers[1].assert_silent()
    network.settle()
    subscribers[1].assert_received("message")


def test_receivers_are_the_sum_over_all_processes(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    network.alice(2).frontend().subscribes("news")
    publishes(publisher, id="p")
    network.settle()
    publisher.assert_received("result", id="p", data={"receivers": 4})
    publisher.assert_silent()


def test_a_publish_without_an_id_is_not_asked_for(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    before = network.published
    publishes(publisher)
    network.settle()
    assert network.published == before + 1


def test_exclude_me_holds_in_all_processes(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    publisher.subscribes("news")
    network.alice(0).backend().subscribes("news")
    publishes(publisher, id="p", exclude_me=True)
    network.settle()
    publisher.assert_received("result", id="p", data={"receivers": 4})
    publisher.assert_silent()
    for page in subscribers:
        page.assert_received("message")


def test_a_publisher_that_subscribes_hears_itself(network: Network, publisher: Peer) -> None:
    publisher.subscribes("news")
    publishes(publisher, 5)
    network.settle()
    publisher.assert_received("message", data=5)


@pytest.mark.parametrize("fault", ["dies", "freezes"])
def test_a_process_that_says_nothing_does_not_hold_the_answer_for_more_than_a_second(
    network: Network, subscribers: list[Peer], publisher: Peer, fault: str
) -> None:
    getattr(network, fault)(2)
    publishes(publisher, id="p")
    network.advances(0.9)
    publisher.assert_silent()
    network.advances(0.2)
    publisher.assert_received("result", id="p", data={"receivers": 2})
    network.advances(3)
    publisher.assert_silent()


def test_a_process_that_leaves_while_it_is_asked_does_not_hold_the_answer(
    network: Network, subscribers: list[Peer], publisher: Peer
) -> None:
    network.freezes(2)
    publishes(publisher, id="p")
    network.settle()
    publisher.assert_silent()
    network.nodes[2].mesh.leave()
    left = network.nodes[2].mesh.take()
    while left is not None:
        for node in network.nodes[:2]:
            node.mesh.receive(left[1], network.now)
        left = network.nodes[2].mesh.take()
    publisher.assert_received("result", id="p", data={"receivers": 2})


def test_a_publish_whose_batch_is_lost_is_refused(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    network.loses(1, None)
    publishes(publisher, id="p")
    network.advances(1.1)
    publisher.assert_received("error", id="p", code="relay_unavailable")
    publisher.assert_silent()
    assert [node.mesh.lost for node in network.nodes] == [1, 1, 1]


def test_an_answer_that_comes_too_late_is_passed_over(
    network: Network, subscribers: list[Peer], publisher: Peer
) -> None:
    network.freezes(2)
    publishes(publisher, id="p")
    network.advances(1.2)
    publisher.assert_received("result", id="p", data={"receivers": 2})
    network.goes_on(2)
    network.settle()
    publisher.assert_silent()


def test_each_process_answers_once(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    network.freezes(2)
    publishes(publisher, id="p")
    mesh = network.nodes[1].mesh
    network.nodes[0].mesh.processes[mesh.id].outgoing.put(Receivers(mesh.questions.asked, 1))
    network.advances(1.1)
    publisher.assert_received("result", id="p", data={"receivers": 2})


def test_a_publisher_that_left_needs_no_answer(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    publishes(publisher, id="p")
    publisher.leaves()
    network.settle()
    publisher.assert_silent()
    network.assert_quiet()


def test_charlie_hears_nothing(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    strangers = [network.charlie(number).frontend() for number in range(3)]
    for stranger in strangers:
        stranger.subscribes("news")
    publishes(publisher, id="p")
    network.settle()
    publisher.assert_received("result", id="p", data={"receivers": 3})
    for stranger in strangers:
        stranger.assert_silent()


def test_front_ends_may_not_publish(network: Network, subscribers: list[Peer]) -> None:
    publishes(subscribers[0], id="p")
    network.settle()
    subscribers[0].assert_received("error", id="p", code="forbidden")
    subscribers[1].assert_silent()


@pytest.mark.parametrize("channel", ["$gluer.news", "a\nb"])
def test_a_name_that_may_not_be_is_refused_at_once(network: Network, publisher: Peer, channel: str) -> None:
    publisher.sends("publish", id="p", channel=channel)
    assert publisher.receives()["code"] in ("forbidden", "bad_frame")
    assert network.alice(1).tenant.requests == 0


def test_the_subscribe_result_comes_before_the_first_message(network: Network, publisher: Peer) -> None:
    page = network.alice(0).frontend()
    publishes(publisher, "on its way")
    page.subscribes("news")
    network.settle()
    page.assert_received("message", data="on its way")


def test_unsubscribe_stops_what_is_on_its_way(network: Network, subscribers: list[Peer], publisher: Peer) -> None:
    page = subscribers[0]
    publishes(publisher)
    page.sends("unsubscribe", id="u", channels=["news"])
    page.assert_received("result", id="u")
    network.settle()
    page.assert_silent()


def test_a_publish_is_counted_once_and_where_it_was_made(
    network: Network, subscribers: list[Peer], publisher: Peer
) -> None:
    publishes(publisher)
    network.settle()
    assert [network.alice(number).tenant.requests for number in range(3)] == [0, 1, 0]
    totals = [node.relay.hub.totals for node in network.nodes]
    assert sum(total.published for total in totals) == 1
    assert sum(total.delivered for total in totals) == 3


def test_publishes_beyond_the_bound_are_refused(network: Network, publisher: Peer) -> None:
    for number in range(80):
        publishes(publisher, "x" * 1_000_000, id=f"p{number}")
    refused = [frame["id"] for frame in publisher.inbox]
    assert 62 <= len(refused) <= 64
    assert refused[-1] == "p79"
    network.settle()
    assert len(publisher.inbox) == 80


def test_messages_and_calls_do_not_hold_each_other_up(network: Network, subscribers: list[Peer]) -> None:
    server = network.alice(2).backend(ADD)
    network.settle()
    subscribers[0].calls(ADD)
    publishes(server, 1)
    network.settle()
    server.answers(2)
    network.settle()
    assert {frame["type"] for frame in subscribers[0].inbox} == {"message", "result"}


def test_calls_go_to_another_process_while_somebody_publishes_in_every_turn(network: Network) -> None:
    network.alice(1).backend(ADD)
    page = network.alice(0).frontend()
    publisher = network.charlie(0).backend()
    network.settle()
    mesh = network.nodes[0].mesh
    page.calls(ADD, "c1")
    taken = []
    for _ in range(4):
        publisher.sends("publish", channel="news", data="x")
        batch = mesh.take()
        assert batch is not None
        taken.append(batch[0])
    assert taken.count("") == 3, taken  # and one went to the process of the server
