"""Section 4 of the protocol as far as it is served, over real servers."""

from tests.relay.harness.shop import Shop


async def test_the_subscription_is_confirmed_before_its_first_message(alice: Shop) -> None:
    publisher, subscriber = await alice.backend(), await alice.frontend()
    await subscriber.subscribe("news", "sport")  # fails if anything else came first
    await publisher.send("publish", id="1", channel="news", data={"n": 1})
    await publisher.assert_received("result", id="1", data={"receivers": 1})
    await subscriber.assert_received("message", channel="news", data={"n": 1})


async def test_everybody_who_subscribed_hears_the_same_in_order(alice: Shop) -> None:
    subscribers = [await (await alice.frontend()).subscribe("news") for _ in range(5)]
    publishers = [await alice.backend() for _ in range(2)]
    for number in range(50):
        await publishers[number % 2].send("publish", channel="news", data=number)
    for publisher in publishers:
        await publisher.assert_silent()  # a publish without an id has no answer
    heard = [[(await peer.assert_received("message"))["data"] for _ in range(50)] for peer in subscribers]
    assert all(order == heard[0] for order in heard)
    assert sorted(heard[0]) == list(range(50))


async def test_nobody_listens(alice: Shop) -> None:
    publisher = await alice.backend()
    await publisher.send("publish", id="1", channel="news", data=1)
    await publisher.assert_received("result", id="1", data={"receivers": 0})


async def test_a_publisher_hears_itself_unless_it_asks_not_to(alice: Shop) -> None:
    publisher = await (await alice.backend()).subscribe("news")
    await publisher.send("publish", id="1", channel="news", data="mine")
    await publisher.assert_received("message", data="mine")
    await publisher.assert_received("result", id="1", data={"receivers": 1})
    await publisher.send("publish", id="2", channel="news", data="not mine", exclude_me=True)
    await publisher.assert_received("result", id="2", data={"receivers": 0})
    await publisher.assert_silent()


async def test_after_unsubscribing_it_is_quiet(alice: Shop) -> None:
    publisher, subscriber = await alice.backend(), await alice.frontend()
    await subscriber.subscribe("news", "sport")
    await subscriber.send("unsubscribe", id="u", channels=["news", "never subscribed"])
    await subscriber.assert_received("result", id="u", data={})
    for channel in ("news", "sport"):
        await publisher.send("publish", id="1", channel=channel, data=channel)
        await publisher.assert_received("result")
    await subscriber.assert_received("message", channel="sport")
    await subscriber.assert_silent()


async def test_subscribing_twice_brings_one_copy(alice: Shop) -> None:
    publisher, subscriber = await alice.backend(), await alice.frontend()
    await subscriber.subscribe("news")
    await subscriber.subscribe("news")
    await publisher.send("publish", id="1", channel="news", data=1)
    await publisher.assert_received("result", data={"receivers": 1})
    await subscriber.assert_received("message")
    await subscriber.assert_silent()


async def test_a_subscriber_that_left_counts_no_more(alice: Shop) -> None:
    publisher, staying, leaving = await alice.backend(), await alice.frontend(), await alice.frontend()
    for peer in (staying, leaving):
        await peer.subscribe("news")
    await leaving.close()
    await publisher.send("publish", id="1", channel="news", data=1)
    await publisher.assert_received("result", data={"receivers": 1})
    await staying.assert_received("message")


async def test_coming_back_without_history_says_that_something_may_be_missing(alice: Shop) -> None:
    subscriber = await alice.frontend()
    await subscriber.send("subscribe", id="1", channels=["news", "sport"], since={"news": "epoch:7"})
    await subscriber.assert_received("result", id="1", data={"news": {"recovered": False}, "sport": {}})


async def test_charlie_hears_nothing_of_alices_channels(alice: Shop, charlie: Shop) -> None:
    stranger, subscriber = await charlie.frontend(), await alice.frontend()
    for peer in (stranger, subscriber):
        await peer.subscribe("news")
    publisher = await alice.backend()
    await publisher.send("publish", id="1", channel="news", data="for Alice")
    await publisher.assert_received("result", data={"receivers": 1})
    await subscriber.assert_received("message", data="for Alice")
    await stranger.assert_silent()
