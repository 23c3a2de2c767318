"""Channels of one project: subscribing, publishing, order (section 4)."""

import pytest

from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project


@pytest.fixture
def listener(alice: Project) -> Peer:
    return alice.frontend()


@pytest.fixture
def speaker(alice: Project) -> Peer:
    return alice.backend()


def publishes(speaker: Peer, channel: str, data: object, receivers: int, **fields: object) -> None:
    speaker.sends("publish", id="p1", channel=channel, data=data, **fields)
    speaker.assert_received("result", id="p1", data={"receivers": receivers})


def test_a_subscriber_hears_what_is_published_in_order(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    for number in range(3):
        publishes(speaker, "news", number, receivers=1)
    for number in range(3):
        listener.assert_received("message", channel="news", data=number)
    listener.assert_silent()


def test_all_subscribers_get_the_same_bytes(alice: Project, speaker: Peer) -> None:
    """Encoded once (GP-20); `data` as its writer spelled it."""
    pages = [alice.frontend() for _ in range(3)]
    for page in pages:
        page.subscribes("news")
    speaker.sends_raw('{"type":"publish","channel":"news","data":{"a": [1.0,  2]}}')
    assert {page.raw[-1] for page in pages} == {b'{"type":"message","channel":"news","data":{"a": [1.0,  2]}}'}


def test_other_channels_are_not_heard(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    publishes(speaker, "sports", 1, receivers=0)
    publishes(speaker, "new", 1, receivers=0)
    listener.assert_silent()


def test_another_project_s_channel_of_the_same_name_is_not_heard(charlie: Project, speaker: Peer) -> None:
    stranger = charlie.frontend()
    stranger.subscribes("news")
    publishes(speaker, "news", 1, receivers=0)
    stranger.assert_silent()


def test_subscribing_twice_is_subscribing_once(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    listener.sends("subscribe", id="s1", channels=["news", "news"])
    listener.assert_received("result", id="s1", data={"news": {}})
    publishes(speaker, "news", 1, receivers=1)
    listener.assert_received("message")
    listener.assert_silent()


def test_after_unsubscribing_nothing_comes(alice: Project, listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news", "sports")
    listener.sends("unsubscribe", id="u1", channels=["news", "never"])
    listener.assert_received("result", id="u1", data={})
    publishes(speaker, "news", 1, receivers=0)
    publishes(speaker, "sports", 2, receivers=1)
    listener.assert_received("message", channel="sports")
    listener.assert_silent()
    assert list(alice.tenant.channels.by_name) == ["sports"]


def test_a_subscriber_that_left_is_forgotten(alice: Project, listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    listener.leaves()
    publishes(speaker, "news", 1, receivers=0)
    assert alice.tenant.channels.by_name == {}


def test_a_back_end_hears_its_own_messages_unless_it_leaves_itself_out(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    speaker.subscribes("news")
    speaker.sends("publish", channel="news", data=1)
    speaker.assert_received("message", data=1)
    publishes(speaker, "news", 2, receivers=1, exclude_me=True)
    speaker.assert_silent()
    assert [frame["data"] for frame in listener.inbox] == [1, 2]


def test_who_leaves_itself_out_need_not_subscribe(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    publishes(speaker, "news", 1, receivers=1, exclude_me=True)


def test_a_publish_without_an_id_is_not_answered(listener: Peer, speaker: Peer) -> None:
    listener.subscribes("news")
    speaker.sends("publish", channel="news", data=1)
    listener.assert_received("message", data=1)
    speaker.assert_silent()


def test_without_history_nothing_is_recovered(listener: Peer) -> None:
    listener.sends("subscribe", id="s1", channels=["news", "sports"], since={"news": "0-5", "other": 1})
    listener.assert_received("result", id="s1", data={"news": {"recovered": False}, "sports": {}})


def test_a_front_end_publishes_nothing(listener: Peer) -> None:
    listener.subscribes("news")
    listener.sends("publish", id="p1", channel="news", data=1)
    listener.assert_received("error", id="p1", code="forbidden", retryable=False)
    listener.sends("publish", channel="news", data=1)
    listener.assert_received("notice", code="forbidden", about="news")
    listener.assert_silent()


@pytest.mark.parametrize(("name", "code"), [("$gluer", "forbidden"), ("$gluer.x", "forbidden"), ("a\nb", "bad_frame")])
def test_impossible_channels_are_refused_all_or_nothing(
    alice: Project, listener: Peer, speaker: Peer, name: str, code: str
) -> None:
    listener.sends("subscribe", id="s1", channels=["news", name])
    listener.assert_received("error", id="s1", code=code)
    speaker.sends("publish", id="p1", channel=name, data=1)
    speaker.assert_received("error", id="p1", code=code)
    assert alice.tenant.channels.by_name == {}
    assert listener.connection.channels == {}


def test_so_many_subscriptions_and_no_more() -> None:
    alice = CoreRelay(Limits(subscriptions=3)).alice
    page = alice.frontend()
    page.subscribes("a", "b")
    page.sends("subscribe", id="s1", channels=["c", "d"])
    page.assert_received("error", id="s1", code="rate_limited")
    page.sends("subscribe", id="s2", channels=["a", "b", "c", "c"])
    page.assert_received("result", id="s2")
    assert sorted(alice.tenant.channels.by_name) == ["a", "b", "c"]


def test_every_publish_that_is_applied_counts_as_one_request(
    relay: CoreRelay, alice: Project, listener: Peer, speaker: Peer
) -> None:
    listener.subscribes("news")
    speaker.sends("publish", channel="news")
    speaker.sends("publish", channel="nobody hears it")
    speaker.sends("publish", channel="$gluer")
    assert relay.hub.take_counts() == {(alice.workspace_id, alice.id): 2}


# --- how much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits", [Limits(project_deliveries=10), Limits(project_delivery_bytes=10_000)], ids=["messages", "bytes"]
)
@pytest.mark.parametrize("kind", ["publish", "progress"])
def test_what_is_delivered_in_a_project_has_a_rate(limits: Limits, kind: str) -> None:
    relay = CoreRelay(limits)
    speaker, page = relay.alice.backend("a:b"), relay.alice.frontend()
    page.subscribes("news")
    page.calls("a:b", "c1")
    call = speaker.assert_received("call")
    frame = {"channel": "news"} if kind == "publish" else {"id": call["id"]}
    for _ in range(40):
        speaker.sends(kind, **frame, data="x" * 998)
    assert 20 <= len(page.inbox) <= 22  # the burst, and the one that went over it
    refused = speaker.assert_received("notice", code="rate_limited")
    page.inbox.clear()
    relay.leaps(refused["retry_after"] / 1000)
    speaker.sends(kind, **frame, data=1)
    page.receives()
    stranger, listener = relay.charlie.backend(), relay.charlie.frontend()
    listener.subscribes("news")
    publishes(stranger, "news", 1, receivers=1)


# --- how many ---------------------------------------------------------------------------------------------------------

PROJECT_BOUND = Limits(project_subscription_bytes=4_000)
PROCESS_BOUND = Limits(process_subscription_bytes=4_000, project_subscription_bytes=6_400)


@pytest.mark.parametrize("limits", [PROJECT_BOUND, PROCESS_BOUND], ids=["project", "process"])
def test_subscriptions_of_a_project_and_of_a_process_are_bounded(limits: Limits) -> None:
    relay = CoreRelay(limits)
    pages = [relay.alice.frontend() for _ in range(11)]
    for page in pages[:10]:
        page.subscribes("n" * 128)
    pages[10].sends("subscribe", id="s", channels=["n" * 128])
    pages[10].assert_received("error", id="s", code="rate_limited")
    stranger = relay.charlie.frontend()
    stranger.sends("subscribe", id="s", channels=["n" * 128])
    stranger.assert_received("result" if limits is PROJECT_BOUND else "error", id="s")
    pages[0].subscribes("n" * 128)  # again: it costs nothing
    pages[0].leaves()
    pages[10].subscribes("n" * 128)
    for peer in (*pages, stranger):
        peer.leaves()
    assert relay.hub.subscriptions.bytes == 0
