"""What is changed in one process is felt in all of them within a second."""

import asyncio
import time

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop

SOCKETS = 100
FELT = 1.0  # s


async def test_a_revoked_key_s_sockets_are_closed_in_every_relay(
    cluster: Cluster, alice: ClusterShop, charlie: ClusterShop
) -> None:
    """Fault 15: 100 sockets, half of them on each of two relays; other keys' stay."""
    key = await asyncio.to_thread(cluster.office.new_key, alice.id, "public")
    doors = [alice.at(relay) for relay in cluster.relays]
    victims = [await doors[number % len(doors)].frontend(key=key) for number in range(SOCKETS)]
    others = [await shop.at(relay).frontend() for shop in (alice, charlie) for relay in cluster.relays]
    began = time.monotonic()
    await asyncio.to_thread(cluster.office.ask, "revoke", key=key)
    await asyncio.gather(*(peer.assert_closed(4410) for peer in victims))
    assert time.monotonic() - began < FELT
    for peer in others:
        await peer.assert_silent()


async def test_a_deleted_project_s_sockets_are_closed_in_every_relay(
    cluster: Cluster, alice: ClusterShop, charlie: ClusterShop
) -> None:
    victims = [await alice.at(relay).backend() for relay in cluster.relays]
    others = [await charlie.at(relay).backend() for relay in cluster.relays]
    began = time.monotonic()
    await asyncio.to_thread(cluster.office.ask, "delete_project", id=alice.id)
    await asyncio.gather(*(peer.assert_closed(4410) for peer in victims))
    assert time.monotonic() - began < FELT
    for peer in others:
        await peer.assert_silent()
