"""A relay hangs: it takes connections and does nothing. Behind the shipped nginx.conf its projects go elsewhere."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import WebSocketException

from accounts.alphabet import random_text
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.nginx import Nginx
from tests.cluster.harness.relay import Relay, WatchedRelay
from tests.cluster.harness.shop import ClusterShop
from tests.cluster.test_nginx import home_of, relay_of
from tests.relay.harness.peer import Peer
from tests.relay.harness.shop import add

GOOD_AGAIN = 15  # s from the hang to the first good call
LEFT = 5  # s in which nginx leaves a silent relay
FAILURES = (OSError, TimeoutError, WebSocketException)


@pytest.fixture
def watched(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """The same database and Redis with two relays of their own, which are watched, and an nginx."""
    relays: list[Relay] = [WatchedRelay(cluster.home) for _ in range(2)]
    nginx = Nginx(tmp_path / "nginx", [relay.port for relay in relays])
    try:
        for relay in relays:
            relay.start()
        nginx.start()
        yield Cluster(cluster.postgres, cluster.redis, cluster.home, cluster.office, relays, nginx)
    finally:
        nginx.close()
        for relay in relays:
            relay.close()


class Client:
    """Connects anew as an SDK does: after an attempt that failed it asks for another way."""

    def __init__(self, shop: ClusterShop, key: str) -> None:
        self.shop, self.key = shop, key

    async def connected(self) -> Peer:
        failures = 0
        while True:
            path = self.shop.id if failures == 0 else f"{self.shop.id}?other={random_text(8)}"
            with suppress(*FAILURES):
                async with asyncio.timeout(10):
                    return await (await self.shop.socket(path=path)).hello(key=self.key)
            failures += 1
            await asyncio.sleep(0.2)

    async def serve(self) -> None:
        """Add, for ever."""
        while True:
            peer = await self.connected()
            with suppress(*FAILURES):
                await peer.register("calculator:add")
                peer.serve(add)
                await peer.socket.wait_closed()

    async def good_call(self) -> None:
        """Call until one is answered."""
        while True:
            peer = await self.connected()
            with suppress(*FAILURES):
                while True:
                    if (await peer.call("calculator:add", {"a": 5, "b": 3}))["type"] == "result":
                        return


async def test_from_a_relay_s_hang_to_the_first_good_call_15_s_pass_at_most(watched: Cluster) -> None:
    shop = watched.shop("Alice")
    serving = asyncio.create_task(Client(shop, shop.private).serve())
    try:
        async with asyncio.timeout(GOOD_AGAIN):
            await Client(shop, shop.public).good_call()
        page = await shop.frontend()
        home = await home_of(watched, shop)
        home.freeze()
        hung = time.monotonic()
        async with asyncio.timeout(GOOD_AGAIN):
            assert await page.until_closed() == []
            await Client(shop, shop.public).good_call()
        assert time.monotonic() - hung < GOOD_AGAIN
        assert await asyncio.to_thread(home.process.wait, 10) == 128 + 9
        assert "hangs and is killed" in home.printed()
    finally:
        serving.cancel()
        await shop.close()


async def test_a_handshake_and_a_page_leave_a_silent_relay_within_5_s(cluster: Cluster, alice: ClusterShop) -> None:
    home = await home_of(cluster, alice)
    home.freeze()
    async with asyncio.timeout(LEFT):
        page = await alice.frontend()
    assert (await page.call("nobody:here", timeout=100))["type"] == "error"
    for _ in range(4):  # two relays, at random
        async with asyncio.timeout(LEFT), httpx.AsyncClient(verify=cluster.nginx.tls, trust_env=False) as client:
            assert (await client.get(f"{cluster.nginx.http}/healthz", timeout=LEFT)).status_code == 200


async def test_a_subscriber_over_http_leaves_a_silent_relay_within_5_s(cluster: Cluster, alice: ClusterShop) -> None:
    (await home_of(cluster, alice)).freeze()
    headers = {"Authorization": f"Bearer {alice.public}"}
    url = f"{cluster.nginx.http}/v1/channels?channel=news"
    async with (
        asyncio.timeout(LEFT),
        httpx.AsyncClient(verify=cluster.nginx.tls, trust_env=False) as client,
        client.stream("GET", url, headers=headers, timeout=LEFT) as answer,
    ):
        assert await anext(answer.aiter_lines()) == "event: result"


async def test_no_relay_lives_and_nginx_says_so(cluster: Cluster) -> None:
    for relay in cluster.relays:
        relay.freeze()
    async with httpx.AsyncClient(verify=cluster.nginx.tls, trust_env=False) as client:
        answer = await client.get(f"{cluster.nginx.http}/", timeout=3 * LEFT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.text == "No relay answers. Try again in some seconds.\n"


async def test_a_call_over_http_that_meets_a_hang_runs_once(cluster: Cluster, alice: ClusterShop) -> None:
    server = await alice.backend("calculator:add")
    home = await home_of(cluster, alice)
    home.freeze()
    asked = asyncio.create_task(alice.post("/v1/call/calculator:add", json={"a": 5, "b": 3}))
    await alice.frontend()  # nginx has left the relay with this one
    assert not asked.done()
    home.go_on()
    call = await server.assert_received("call")
    await server.send("result", id=call["id"], data=8)
    assert (await asked).json() == {"data": 8}
    await server.assert_silent()


async def test_a_client_that_asks_for_another_way_gets_one(cluster: Cluster, alice: ClusterShop) -> None:
    async def reached(other: str) -> int:
        """The port of the relay to which this leads."""
        mark = f"{alice.id}-{random_text(12)}"
        path = f"{alice.id}?sdk=tests&other={other}"
        socket = await alice.socket(path=path, additional_headers={"X-Request-ID": mark})
        await (await socket.hello(key=alice.public)).close()
        return relay_of(cluster, mark).port

    home = await home_of(cluster, alice)
    ways = [random_text(number % 16 + 1) for number in range(16)]
    assert {await reached(way) for way in ways} == {relay.port for relay in cluster.relays}
    assert await reached(ways[0]) == await reached(ways[0])
    for wrong in ("", "a" * 17, "a-b", "%61"):
        assert await reached(wrong) == home.port
