"""Floods over real servers: who sends them is closed, and may not come back at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.raw import HANDSHAKE, RawSocket
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, http

FLOODER = "127.0.0.2"
EVIL, GOOD = "https://evil.example", "https://good.example"


@pytest.fixture(scope="module")
def strict(home: Home, office: Office) -> Iterator[RelayServer]:
    """The fast edge, with bounds that are soon reached."""
    with running(RelayServer(home, rate=5, process_unread=2_000_000), office) as server:
        yield server


@pytest.fixture
async def alice(strict: RelayServer, office: Office) -> AsyncIterator[Shop]:
    shop = Shop.open(strict, office, "Alice")
    yield shop
    await shop.close()


async def upgrade(shop: Shop, origin: str | None) -> httpx.Response:
    """The answer to an upgrade that is refused; raises httpx.RemoteProtocolError for one that is not."""
    lines = HANDSHAKE.format(shop.id).split("\r\n")[1:-2]
    headers = dict(line.split(": ", 1) for line in lines) | ({} if origin is None else {"Origin": origin})
    async with http(FLOODER) as client:
        return await client.get(f"{shop.relay.http}/v1/ws/{shop.id}", headers=headers)


async def test_who_flooded_is_refused_before_the_upgrade(alice: Shop) -> None:
    page = await alice.frontend(ip=FLOODER, origin=EVIL)
    for _ in range(20):
        await page.send("pong")
    await page.assert_closed(4429)
    refused = await upgrade(alice, EVIL)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    await alice.frontend(ip=FLOODER)  # a program, or a page of another origin, at the same address
    await alice.frontend()


async def test_unfinished_messages_are_bounded_together(alice: Shop) -> None:
    """Ten of 900 kB are cut to 2 MB, and to 8 at the most: the bytes of one are known to a factor of four."""
    head = b"\x81\xff" + (1_000_000).to_bytes(8, "big") + b"\0\0\0\0"
    sockets = []
    for _ in range(10):
        socket = await RawSocket.open(alice.relay.port, alice.id, {"type": "hello", "key": alice.public})
        await socket.until(b"welcome")
        socket.writer.write(head + b"x" * 900_000)
        sockets.append(socket)
    ended = [asyncio.ensure_future(socket.reader.read()) for socket in sockets]
    async with asyncio.timeout(20):
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    page = await alice.frontend()
    await page.send("ping")
    assert (await page.receive())["type"] == "pong"
    for socket, end in zip(sockets, ended, strict=True):
        end.cancel()
        socket.vanish()
