"""Subscribers and publishers move at every restart, and each message comes once and in order (GP-6, GP-23): real SDKs
through nginx, and a relay to which Redis' messages come 100 ms later than to the other one."""

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.cut import Cut
from tests.cluster.harness.nginx import Nginx
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import until
from tests.relay.contract.test_drain import Node

LATE = 0.1  # s
LISTENERS = 10 + 2  # pages, and the publishers themselves


@pytest.fixture
def uneven(cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Nginx, list[Relay]]]:
    """Two relays of the cluster's installation behind an nginx of their own; the first one hears late."""
    with ExitStack() as stack:
        cut = Cut(cluster.redis, late=LATE)
        stack.callback(cut.close)
        relays = [Relay(cluster.home, REDIS_URL=cut.url), Relay(cluster.home)]
        for relay in relays:
            stack.callback(relay.close)
            relay.start()
        nginx = Nginx(folder / "nginx", [relay.port for relay in relays])
        stack.callback(nginx.close)
        monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(nginx.certificate.chain))
        yield nginx.start(), relays


@pytest.fixture
def programs(
    cluster: Cluster, uneven: tuple[Nginx, list[Relay]], tmp_path: Path
) -> Iterator[tuple[Node, Node, list[Relay]]]:
    """Those that listen, those that publish, and the relays they come to."""
    nginx, relays = uneven
    shop: Any = ClusterShop.open(nginx, cluster.office, "Alice")
    listening, publishing = [Node(shop, tmp_path / role, role) for role in ("subscribers", "publishers")]
    yield listening, publishing, relays
    for program in (listening, publishing):
        program.process.kill()
        program.process.wait(10)


def heard(*programs: Node) -> dict[str, list[int]]:
    """The numbers that each listener heard of each publisher, as they came."""
    found: dict[str, list[int]] = defaultdict(list)
    for line in (line for program in programs for line in program.lines() if line[0] == "heard"):
        found[line[1]].append(int(line[2]))
    return found


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_rolling_restarts_lose_repeat_and_reorder_no_message(
    programs: tuple[Node, Node, list[Relay]], rounds: int
) -> None:
    listening, publishing, relays = programs
    await until(lambda: len(heard(listening, publishing)) == 2 * LISTENERS, "all to listen")
    for relay in relays * rounds:
        await asyncio.to_thread(relay.restart)
        size = listening.log.stat().st_size
        await until(lambda size=size: listening.log.stat().st_size > size + 10_000, "messages")  # type: ignore[misc]
    publishing.process.send_signal(signal.SIGUSR2)
    await until(lambda: len(publishing.count("last")) == 2, "the last publishes")
    last = {line[1]: int(line[2]) for line in publishing.lines() if line[0] == "last"}
    await until(lambda: is_told(last, heard(listening, publishing)), "the last messages")
    assert sum(map(faults, heard(listening, publishing).values()), Counter()) == Counter()
    assert {line[0] for line in publishing.lines()} == {"connection", "heard", "published", "last"}
    assert {line[0] for line in listening.lines()} == {"connection", "heard"}


def faults(numbers: list[int]) -> "Counter[str]":
    """How many of these, which came in this order, came twice or out of order, or are missing."""
    all_told = range(numbers[0], max(numbers) + 1)
    return Counter(
        twice=len(numbers) - len(set(numbers)),
        never=len(set(all_told) - set(numbers)),
        reordered=sum(later < earlier for earlier, later in pairwise(dict.fromkeys(numbers))),
    )


def is_told(last: dict[str, int], told: dict[str, list[int]]) -> bool:
    """Whether all have heard the last message of each publisher."""
    return all(last[which.partition(":")[2]] in numbers for which, numbers in told.items())


async def test_who_subscribes_at_a_relay_that_has_just_started_misses_nothing(
    cluster: Cluster, alice: ClusterShop
) -> None:
    cut = Cut(cluster.redis, late=2 * LATE)
    relay = Relay(cluster.home, REDIS_URL=cut.url)
    publisher = await alice.at(cluster.relays[0]).backend()
    try:
        relay.start()
        page = await (await alice.at(relay).frontend()).subscribe("news")
        await publisher.send("publish", channel="news", data=1)
        await page.assert_received("message", data=1)
    finally:
        relay.close()
        cut.close()
