"""The tests' own network between a relay and Redis does what it says."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.cut import Cut, reply_end
from tests.embedded.installation import until


@pytest.fixture
def cut(cluster: Cluster) -> Iterator[Cut]:
    cut = Cut(cluster.redis)
    yield cut
    cut.close()


@pytest.fixture(params=[2, 3])
def subscriber(cut: Cut, request: pytest.FixtureRequest) -> Iterator[Any]:
    with redis.Redis.from_url(cut.url, protocol=request.param, socket_timeout=5) as client, client.pubsub() as heard:
        heard.subscribe("gluer-news")
        assert heard.get_message(timeout=5)
        yield heard


def next_of(subscriber: Any, seconds: float = 5.0) -> bytes | None:
    message = subscriber.get_message(timeout=seconds)
    data: bytes | None = message and message["data"]
    return data


def test_one_message_is_lost_and_no_other(cluster: Cluster, cut: Cut, subscriber: Any) -> None:
    cluster.redis.ask("PUBLISH", "gluer-news", "first")
    assert next_of(subscriber) == b"first"
    cut.lose()
    for text in ("second", "third\r\n$-1", "x" * 100_000):
        cluster.redis.ask("PUBLISH", "gluer-news", text)
    assert next_of(subscriber) == b"third\r\n$-1"
    assert next_of(subscriber) == b"x" * 100_000
    assert cut.lost == 1


def test_a_frozen_network_brings_everything_later(cluster: Cluster, cut: Cut, subscriber: Any) -> None:
    cut.freeze()
    cluster.redis.ask("PUBLISH", "gluer-news", "late")
    assert next_of(subscriber, 0.1) is None
    cut.mend()
    assert next_of(subscriber) == b"late"


def test_a_reset_ends_connections_and_lets_new_ones_through(cluster: Cluster, cut: Cut, subscriber: Any) -> None:
    cut.reset()
    with pytest.raises(redis.ConnectionError):
        subscriber.get_message(timeout=5)
    until(lambda: redis.Redis.from_url(cut.url).ping(), "a new connection", 5)


@pytest.mark.parametrize("reply", [b"+OK\r\n", b"$-1\r\n", b"*2\r\n:1\r\n*1\r\n$2\r\n\r\n\r\n", b"%1\r\n+a\r\n_\r\n"])
def test_replies_are_told_apart(reply: bytes) -> None:
    assert reply_end(reply + b"+more\r\n", 0) == len(reply)
    assert [reply_end(reply[:part], 0) for part in range(len(reply))] == [0] * len(reply)
