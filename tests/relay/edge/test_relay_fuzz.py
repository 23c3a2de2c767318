"""Whatever a client of the relay sends over a real socket, it harms nobody else (GP-30)."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.embedded.installation import until
from tests.relay.core.test_fuzz import whatever
from tests.relay.edge.client import TEXT, connected, frame
from tests.relay.edge.server import EdgeServer
from tests.relay.edge.streams import frames, segments
from tests.relay.edge.test_direct import Node, hear, peers
from tests.relay.edge.test_direct import say as tell
from tests.relay.edge.test_fuzz import FEW, MANY, Troubles, everything, fuzz, held, say, troubles

__all__ = ["troubles"]

SPOKEN = "gluer.v1.json"


class Shop:
    """Alice's page and back end, and Charlie with a project of the same names, who hear nothing of the stranger."""

    def __init__(self, stack: ExitStack, node: Node, port: int) -> None:
        self.node, self.port, self.calls = node, port, 0
        (self.page,) = peers(stack, port, 1, node.alice.public_key)
        (self.server,) = peers(stack, port, 1, node.alice.private_key)
        self.charlie = stack.enter_context(connected(port, "/charlieproject", Sec_WebSocket_Protocol=SPOKEN))
        tell(self.charlie, "hello", key=node.charlie.private_key)
        assert hear(self.charlie)["type"] == "welcome"
        for server in (self.server, self.charlie):
            tell(server, "register", id="r", functions=[{"name": "calculator:add"}])
            assert hear(server)["type"] == "result"

    def assert_works(self) -> None:
        """A call goes through, and nothing else comes."""
        self.calls += 1
        tell(self.page, "call", id=f"c{self.calls}", cmd="calculator:add", data=self.calls)
        call = hear(self.server)
        assert (call["type"], call["data"]) == ("call", self.calls)
        tell(self.server, "result", id=call["id"], data=self.calls)
        assert hear(self.page)["id"] == f"c{self.calls}"
        tell(self.charlie, "ping")
        assert hear(self.charlie)["type"] == "pong"


@pytest.fixture(scope="module")
def shop(troubles: Troubles) -> Iterator[Shop]:
    node = Node()
    server = EdgeServer(node)
    with ExitStack() as stack:
        yield Shop(stack, node, server.port)
    until(lambda: not held() and not node.hub.connections, "the end of all connections")
    server.stop()
    assert troubles.said == []


keys = st.sampled_from(["", "alice-public", "alice-private", "charlie-public"])
texts = whatever.map(lambda text: frame(TEXT, text))
talk = segments(st.lists(texts | texts | texts | frames(), max_size=10).map(b"".join))


def harms_nobody(shop: Shop, troubles: Troubles, key: str, said: list[bytes]) -> None:
    """A stranger to the shop says this, with one of these keys, and leaves."""
    with connected(shop.port, "/aliceproject", Sec_WebSocket_Protocol=SPOKEN) as client:
        if key:
            tell(client, "hello", key=key)
        say(client, said)
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
        everything(client)
    shop.assert_works()
    assert troubles.said == []


@fuzz(FEW)
@given(key=keys, said=talk)
def test_a_hostile_peer_harms_nobody(shop: Shop, troubles: Troubles, key: str, said: list[bytes]) -> None:
    harms_nobody(shop, troubles, key, said)


@pytest.mark.long
@fuzz(MANY)
@given(key=keys, said=talk)
def test_many_hostile_peers_harm_nobody(shop: Shop, troubles: Troubles, key: str, said: list[bytes]) -> None:
    harms_nobody(shop, troubles, key, said)
