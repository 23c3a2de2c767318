"""Floods over real servers: who sends them is closed, and may not come back at once."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.raw import HANDSHAKE
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, http

FLOODER = "127.0.0.2"
EVIL, GOOD = "https://evil.example", "https://good.example"


@pytest.fixture(scope="module")
def strict(home: Home, office: Office) -> Iterator[RelayServer]:
    """The fast edge, with a rate that is soon reached."""
    with running(RelayServer(home, rate=5), office) as server:
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
