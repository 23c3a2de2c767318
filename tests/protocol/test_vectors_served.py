"""The vectors once more, over real sockets to a real server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.protocol.scenario import Variables
from tests.protocol.test_vectors import SCENARIOS
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("vectors") / "home")
    home.prepare()
    return home


@pytest.fixture(scope="module")
def office(home: Home) -> Iterator[Office]:
    office = Office(home)
    yield office
    office.close()


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(home), office) as server:
        yield server


@pytest.mark.parametrize("vector", SCENARIOS)
async def test_the_served_relay_does_what_the_vector_says(
    relay: RelayServer, office: Office, vector: dict[str, Any]
) -> None:
    shop = Shop.open(relay, office, "Alice")
    try:
        peers = {name: await connect(shop, kind, vector) for name, kind in vector["peers"].items()}
        variables = Variables(public_key=shop.public, private_key=shop.private)
        for step in vector["steps"]:
            await take(peers[step["peer"]], step, variables)
        for name in peers.keys() - {step["peer"] for step in vector["steps"] if "closes" in step}:
            await peers[name].assert_silent()
    finally:
        await shop.close()


async def connect(shop: Shop, kind: str, vector: dict[str, Any]) -> Peer:
    if vector.get("handshake"):
        return await shop.socket()
    return await (shop.frontend() if kind == "frontend" else shop.backend())


async def take(peer: Peer, step: dict[str, Any], variables: Variables) -> None:
    """One step: send, require, or see the close."""
    if "sends" in step:
        frame = variables.fill("", step["sends"])
        await peer.send(frame.pop("type"), **frame)
    if "receives" in step:
        frame = await peer.receive()
        for field, value in step["receives"].items():
            assert field in frame, f"{field} is missing in {frame}"
            assert variables.matches(value, frame[field]), f"{field} of {frame} is not {value}"
    if "closes" in step:
        assert await peer.until_closed() == []
        assert peer.close_code == step["closes"]["code"]
