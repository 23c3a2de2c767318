"""Relays while Postgres is away, or while their connections to it are dead and nobody has told them."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.forgetful import Forgetful
from tests.cluster.harness.network import Network
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.embedded.installation import until
from tests.observability.scraped import Scraped

CALLS = 20
SUM = {"data": {"result": 8}}


@pytest.fixture
def network(cluster: Cluster) -> Iterator[Network]:
    """Between the test's own relay and Postgres."""
    network = Network(cluster.postgres.port)
    yield network
    network.close()


@pytest.fixture
def relay(cluster: Cluster, network: Network, folder: Path) -> Iterator[Relay]:
    """The test's own, in a folder of its own; keys are old after 0.2 s there."""
    relay = Forgetful(cluster.home.copy(folder), DATABASE_URL=cluster.postgres.through(network))
    relay.start()
    until(lambda: readiness(relay)["status"] == "ready", "a relay that has reached its database", 10)
    yield relay
    relay.close()


@pytest.fixture
def shop(alice: ClusterShop, relay: Relay) -> ClusterShop:
    """Alice's project at that relay."""
    return alice.at(relay)


def readiness(relay: Relay) -> dict[str, str]:
    answer: dict[str, str] = httpx.get(f"{relay.http}/readyz", trust_env=False, timeout=5).json()
    return answer


def metric(relay: Relay, name: str) -> float:
    return Scraped(relay).value(name)


def unwritten(relay: Relay) -> list[Path]:
    """The files of counts that it could not write."""
    return list((relay.home.folder / "unwritten").iterdir())


async def until_keys_are(relay: Relay, how: str) -> None:
    await asyncio.to_thread(until, lambda: readiness(relay)["keys"] == how, f"keys that are {how}", 10)


async def add(shop: ClusterShop, key: str | None = None, within: int = 2_000) -> httpx.Response:
    """5 + 3 over HTTP, in so many ms."""
    headers = {"Authorization": f"Bearer {key or shop.public}", "Gluer-Timeout": str(within)}
    return await shop.post("/v1/call/calculator:add", headers=headers, json={"a": 5, "b": 3})


async def new_key(cluster: Cluster, shop: ClusterShop) -> str:
    """One that the relay has not seen, though it has heard of all changes: it closes the sockets of a revoked one."""
    unseen, revoked = [await asyncio.to_thread(cluster.office.new_key, shop.id, "public") for _ in range(2)]
    peer = await shop.frontend(key=revoked)
    await asyncio.to_thread(cluster.office.ask, "revoke", key=revoked)
    await peer.assert_closed(4410)
    return str(unseen)


@pytest.fixture(params=["stopped", "frozen"])
def trouble(request: pytest.FixtureRequest, cluster: Cluster, network: Network) -> Callable[[], None]:
    """What becomes of Postgres."""
    return {"stopped": cluster.postgres.stop, "frozen": network.freeze}[request.param]


# --- away for longer than keys are kept -------------------------------------------------------------------------------


async def test_keys_found_before_are_let_in_while_the_database_is_away(
    cluster: Cluster, network: Network, relay: Relay, shop: ClusterShop, trouble: Callable[[], None]
) -> None:
    unseen = await new_key(cluster, shop)
    await shop.calculator()
    assert (await add(shop)).json() == SUM
    await asyncio.to_thread(trouble)
    await until_keys_are(relay, "remembered")
    for _ in range(CALLS):
        assert (await add(shop)).json() == SUM
    assert (await shop.frontend()).welcome["peer"] == "frontend"
    refused = await add(shop, unseen)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
        503,
        "relay_unavailable",
        "1",
    )
    network.mend()
    await asyncio.to_thread(cluster.mend)
    await until_keys_are(relay, "ok")
    assert (await add(shop, unseen)).json() == SUM
    assert relay.printed().count("The database is away") == relay.printed().count("The database is back") == 1


async def test_a_key_that_was_revoked_before_is_not_let_in(
    cluster: Cluster, relay: Relay, shop: ClusterShop, trouble: Callable[[], None]
) -> None:
    key = await asyncio.to_thread(cluster.office.new_key, shop.id, "public")
    await shop.calculator()
    assert (await add(shop, key)).json() == SUM
    peer = await shop.frontend(key=key)
    await asyncio.to_thread(cluster.office.ask, "revoke", key=key)
    await peer.assert_closed(4410)
    await asyncio.to_thread(trouble)
    await until_keys_are(relay, "remembered")
    assert (await add(shop, key)).status_code == 503


async def test_a_look_up_takes_no_longer_than_the_call_may(
    cluster: Cluster, network: Network, shop: ClusterShop
) -> None:
    """A key that was found before is let in for what is left of the time."""
    unseen = await new_key(cluster, shop)
    await shop.calculator()
    assert (await add(shop)).json() == SUM
    network.freeze()
    began = time.monotonic()
    refused = await add(shop, unseen, 500)
    assert (refused.status_code, refused.json()["code"]) == (503, "relay_unavailable")
    assert (await add(shop)).json() == SUM
    assert time.monotonic() - began < 5


# --- at the start -----------------------------------------------------------------------------------------------------


def test_a_relay_is_not_ready_until_it_has_reached_its_database(cluster: Cluster, network: Network) -> None:
    """A rolling restart that goes by /readyz leaves the other relays alone."""
    network.freeze()
    relay = Forgetful(cluster.home, DATABASE_URL=cluster.postgres.through(network))
    relay.start()
    try:
        until(lambda: readiness(relay)["keys"] == "refused", "a poll that fails", 10)
        assert readiness(relay)["status"] == "starting"
        assert httpx.get(f"{relay.http}/readyz", trust_env=False).status_code == 503
        network.mend()
        until(lambda: readiness(relay)["status"] == "ready", "a relay that has reached its database", 10)
        network.freeze()
        until(lambda: readiness(relay)["keys"] == "remembered", "a poll that fails", 10)
        assert readiness(relay)["status"] == "ready"
    finally:
        relay.close()


# --- connections that are dead ----------------------------------------------------------------------------------------


async def test_a_key_revoked_meanwhile_is_heard_of_over_new_connections(
    cluster: Cluster, network: Network, relay: Relay, shop: ClusterShop
) -> None:
    """For longer than changes are read again; the connections that were open then stay silent for good."""
    key = await asyncio.to_thread(cluster.office.new_key, shop.id, "public")
    peer = await shop.frontend(key=key)
    network.freeze()
    await until_keys_are(relay, "remembered")
    await asyncio.to_thread(cluster.office.ask, "revoke", key=key)
    await asyncio.sleep(2)  # longer than LOOK_BACK there
    network.forget()
    network.mend()
    began = time.monotonic()
    await peer.assert_closed(4410)
    assert time.monotonic() - began < 5
    await until_keys_are(relay, "ok")


async def test_counts_are_written_over_new_connections(
    cluster: Cluster, network: Network, relay: Relay, shop: ClusterShop
) -> None:
    await new_key(cluster, shop)
    await shop.calculator()
    assert (await add(shop)).json() == SUM
    await asyncio.to_thread(cluster.until_counted, shop, 1)
    network.freeze()
    network.forget()
    assert (await add(shop)).json() == SUM
    await asyncio.to_thread(until, lambda: metric(relay, "gluer_metering_failing") == 1, "a write that is given up", 15)
    network.mend()
    await asyncio.to_thread(cluster.until_counted, shop, 2)
    await asyncio.to_thread(until, lambda: metric(relay, "gluer_metering_failing") == 0, "a write that succeeds", 15)
    assert cluster.used(shop) == 2
    assert metric(relay, "gluer_keys_remembered") == 0
    assert Scraped(relay).value("gluer_dependency_up", dependency="database") == 1
    assert relay.printed().count("Counts cannot be written") == 1


async def test_a_relay_ends_in_time_though_its_database_is_silent_and_its_counts_come_later(
    cluster: Cluster, network: Network, relay: Relay, shop: ClusterShop
) -> None:
    await new_key(cluster, shop)
    await shop.calculator()
    assert (await add(shop)).json() == SUM
    network.freeze()
    network.forget()
    await until_keys_are(relay, "remembered")
    for _ in range(CALLS):
        assert (await add(shop)).json() == SUM
    await shop.close()
    await asyncio.to_thread(relay.drain)
    assert len(unwritten(relay)) == 1
    network.mend()
    await asyncio.to_thread(relay.start)
    await asyncio.to_thread(cluster.until_counted, shop, 1 + CALLS)
    await asyncio.to_thread(until, lambda: not unwritten(relay), "no file", 15)
    assert cluster.used(shop) == 1 + CALLS
