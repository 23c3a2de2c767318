"""What ends leaves nothing to the collector of cyclic garbage, which stops the relay while it looks through all of it.

The collector is off meanwhile: an object in a circle would stay, and be counted.
"""

import gc
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.embedded.installation import until
from tests.relay.edge.client import TEXT, Client, close_frame, frame, request
from tests.relay.edge.echo import PATHS, echo
from tests.relay.edge.server import EdgeServer
from tests.relay.edge.test_direct import Node, hear, say

WARM = 30  # connections after which all that is made once is there
MANY = 200
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing says so at once, whatever was not read
PATH, SPOKEN = "/aliceproject", "gluer.v1.json"


class Bare(Node):
    """Keeps no list of scopes."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        project = {"kwargs": {"project_id": scope["path"].strip("/")}}
        await self.consumer(scope | {"url_route": project}, receive, send)


class Visits:
    """Of a server, one after the other."""

    def __init__(self, server: EdgeServer, key: str) -> None:
        self.server, self.key = server, key

    @contextmanager
    def client(self) -> Iterator[Client]:
        client = Client(self.server.port)
        yield client
        client.close()

    @contextmanager
    def welcome(self) -> Iterator[Client]:
        with self.client() as client:
            client.upgrade(PATH, Sec_WebSocket_Protocol=SPOKEN)
            say(client, "hello", key=self.key)
            assert hear(client)["type"] == "welcome"
            yield client

    def good_close(self) -> None:
        with self.welcome() as client:
            client.say(close_frame(1000))
            client.assert_closed(1000)

    def reset(self) -> None:
        with self.welcome() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def end_without_a_close(self) -> None:
        with self.welcome():
            pass

    def end_before_the_hello(self) -> None:
        with self.client() as client:
            client.upgrade(PATH, Sec_WebSocket_Protocol=SPOKEN)

    def use(self) -> None:
        with self.welcome() as client:
            say(client, "subscribe", id="1", channels=["news"])
            assert hear(client)["type"] == "result"
            say(client, "call", id="2", cmd="nobody:serves")
            assert hear(client)["type"] == "error"

    def wrong_key(self) -> None:
        with self.client() as client:
            client.upgrade(PATH, Sec_WebSocket_Protocol=SPOKEN)
            say(client, "hello", key="wrong")
            assert hear(client)["type"] == "bye"
            client.assert_closed(4401)

    def wrong_frame(self) -> None:
        with self.welcome() as client:
            client.say(frame(TEXT, b"x", masked=False))
            client.assert_closed(1002)

    def refused_upgrade(self) -> None:
        with self.client() as client:
            client.say(request(PATH, Sec_WebSocket_Version="12"))
            assert client.answer()[0] == 426

    def echo(self, path: str) -> None:
        with self.client() as client:
            client.upgrade(path)
            client.assert_echo()
            client.say(close_frame(1000))
            client.assert_closed(1000)

    def are_over(self) -> None:
        """Until the server has seen the last one end."""
        state = self.server.server.server_state
        until(lambda: not state.connections and not state.tasks, "all to be gone")


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def left_by(visit: Callable[[], None], visits: Visits) -> int:
    """Tracked objects that were not there before."""
    for _ in range(WARM):
        visit()
    visits.are_over()
    with collector_off():
        before = len(gc.get_objects())
        for _ in range(MANY):
            visit()
        visits.are_over()
        after = len(gc.get_objects())
    return after - before


RELAY = [
    Visits.good_close, Visits.reset, Visits.end_without_a_close, Visits.end_before_the_hello, Visits.use,
    Visits.wrong_key, Visits.wrong_frame, Visits.refused_upgrade,
]  # fmt: skip


@pytest.mark.parametrize("visit", RELAY)
def test_a_connection_to_the_relay_leaves_no_garbage(visit: Callable[[Visits], None]) -> None:
    node = Bare()
    server = EdgeServer(node)
    visits = Visits(server, node.alice.public_key)
    left = left_by(lambda: visit(visits), visits)
    assert left < MANY / 2, f"{left / MANY:.1f} objects of each connection stay in circles"
    assert node.hub.connections == 0
    server.stop()


@pytest.mark.parametrize("path", PATHS)
def test_a_connection_to_an_application_leaves_no_garbage(path: str) -> None:
    server = EdgeServer(echo)
    visits = Visits(server, "")
    left = left_by(lambda: visits.echo(path), visits)
    assert left < MANY / 2, f"{left / MANY:.1f} objects of each connection stay in circles"
    server.stop()
