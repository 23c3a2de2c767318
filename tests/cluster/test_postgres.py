"""The relay's basics on Postgres, and what becomes of them while it is away (fault 9)."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.cluster.harness.celery import Celery
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop
from tests.embedded.installation import until
from tests.relay.harness.told import refused

AWAY = 10.0  # s
CALLS = 40


async def test_keys_let_in_whom_they_are_of(alice: ClusterShop, charlie: ClusterShop) -> None:
    assert (await alice.frontend()).welcome["peer"] == "frontend"
    assert (await charlie.backend()).welcome["peer"] == "backend"
    stranger = await alice.socket()
    await stranger.send("hello", key=charlie.public)
    await refused(4401)(stranger)


async def test_a_call_is_counted_once_for_its_project(
    cluster: Cluster, alice: ClusterShop, charlie: ClusterShop
) -> None:
    await alice.calculator()
    frontend = await alice.frontend()
    for number in range(CALLS):
        await frontend.call("calculator:add", {"a": number, "b": 0}, id=str(number))
    await asyncio.to_thread(cluster.until_counted, alice, CALLS)
    assert (cluster.used(alice), cluster.used(charlie)) == (CALLS, 0)


async def test_worker_and_beat_fold_counts_without_changing_them(
    cluster: Cluster, alice: ClusterShop, tmp_path: Path
) -> None:
    await alice.calculator()
    frontend = await alice.frontend()
    own = {"REDIS_URL": cluster.redis.worker_url}
    with Celery(cluster.home, "worker", tmp_path, **own), Celery(cluster.home, "beat", tmp_path, **own):
        for number in range(CALLS):
            await frontend.call("calculator:add", {"a": number, "b": 0}, id=str(number))
        folded = {"UsageHour": CALLS, "UsageMonth": CALLS, "UsageCount": 0}
        await asyncio.to_thread(until, lambda: cluster.office.ask("folded", project=alice.id) == folded, "folding", 30)
    assert cluster.used(alice) == CALLS


async def test_calls_go_on_while_the_database_is_away_and_are_counted_later(
    cluster: Cluster, alice: ClusterShop
) -> None:
    """Fault 9."""
    await alice.calculator()
    frontend = await alice.frontend()
    cluster.postgres.stop()
    end = time.monotonic() + AWAY
    made, longest = 0, 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        assert (await frontend.call("calculator:add", {"a": made, "b": 0}, id=str(made)))["data"] == {"result": made}
        longest = max(longest, time.monotonic() - began)
        made += 1
        await asyncio.sleep(0.02)  # the load: 50 calls a second
    assert longest < 0.5
    assert made > 100
    await asyncio.to_thread(cluster.postgres.start)
    await asyncio.to_thread(cluster.until_counted, alice, made)
    assert cluster.used(alice) == made
    assert (await alice.frontend()).welcome["peer"] == "frontend"


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_a_new_key_is_let_in_by_every_relay(cluster: Cluster, alice: ClusterShop, kind: str) -> None:
    key = await asyncio.to_thread(cluster.office.new_key, alice.id, kind)
    for relay in cluster.relays:
        peer = await alice.at(relay).frontend(key=key)
        await peer.assert_silent()
