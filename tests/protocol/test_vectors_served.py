"""The vectors once more, over real sockets to a real server."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.protocol.scenario import Variables
from tests.protocol.test_vectors import SCENARIOS
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame, Peer
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
        peers = {name: Reader(await connect(shop, kind, vector)) for name, kind in vector["peers"].items()}
        variables = Variables(public_key=shop.public, private_key=shop.private)
        for step in vector["steps"]:
            await take(peers[step["peer"]], step, variables)
            if not vector.get("handshake"):
                await peers[step["peer"]].catch_up()
        for name in peers.keys() - {step["peer"] for step in vector["steps"] if "closes" in step or "leaves" in step}:
            await peers[name].assert_silent()
    finally:
        await shop.close()


async def connect(shop: Shop, kind: str, vector: dict[str, Any]) -> Peer:
    if vector.get("handshake"):
        return await shop.socket()
    return await (shop.frontend() if kind == "frontend" else shop.backend())


class Reader:
    """Keeps what has come until a step requires it."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.unread: deque[Frame] = deque()

    async def receive(self) -> Frame:
        return self.unread.popleft() if self.unread else await self.peer.receive()

    async def catch_up(self) -> None:
        """The relay has read what this peer sent, before another one's next step."""
        with suppress(ConnectionClosed):
            await self.peer.send("ping")
            while (frame := await self.peer.receive()) != {"type": "pong"}:
                self.unread.append(frame)

    async def assert_silent(self) -> None:
        assert not self.unread, "more came than the scenario says"
        await self.peer.assert_silent()


async def take(reader: Reader, step: dict[str, Any], variables: Variables) -> None:
    """One step: send, require, leave, or see the close."""
    peer = reader.peer
    if "sends" in step:
        frame = variables.fill("", step["sends"])
        await peer.send(frame.pop("type"), **frame)
    if "receives" in step:
        frame = await reader.receive()
        for field, value in step["receives"].items():
            assert field in frame, f"{field} is missing in {frame}"
            assert variables.matches(value, frame[field]), f"{field} of {frame} is not {value}"
    if step.get("leaves"):
        await peer.close()
    if "closes" in step:
        assert [*reader.unread, *await peer.until_closed()] == []
        assert peer.close_code == step["closes"]["code"]
