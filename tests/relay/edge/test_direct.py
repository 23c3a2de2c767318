"""The direct path: who takes it, what it keeps, in which order and in how many writes its frames leave."""

import asyncio
import gc
import json
import random
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any

import msgspec
import pytest

from relay.core.limits import Limits
from relay.edge import direct
from relay.edge.address import TrustedProxies
from relay.edge.consumers import RelayConsumer
from relay.edge.direct import DirectSocket
from relay.edge.extension import EXTENSION
from relay.edge.fast import FastWebSocketProtocol
from relay.edge.framing import USUAL, framed
from tests.embedded.installation import until
from tests.relay.core.cast import CoreRelay
from tests.relay.edge.client import BINARY, CONTINUATION, PING, PONG, TEXT, Client, connected, frame, pattern, request
from tests.relay.edge.server import EdgeServer, in_loop

ROOMY = Limits(unsent=100_000_000, unsent_kept=100_000_000)
MANY = 60


# --- an application that takes the path ------------------------------------------------------------------------------


class Taker:
    """Takes every socket, and does what is said to it. One connection at a time."""

    def __init__(self) -> None:
        self.writes: list[int] = []  # frames of each write, in order
        self.heard: list[bytes] = []
        self.slow = self.gone = 0
        self.may_accept: asyncio.Event | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.loop, take = asyncio.get_running_loop(), scope["extensions"][EXTENSION]
        await receive()
        if scope["path"] == "/early":
            with pytest.raises(RuntimeError, match="Accept the connection first"):
                take(self.takes)
            self.may_accept = asyncio.Event()
            await self.may_accept.wait()
        await send({"type": "websocket.accept"})
        take(self.takes)

    def takes(self, socket: DirectSocket) -> "Taker":
        self.socket, write = socket, socket.write

        def counted(data: bytes) -> None:
            self.writes.append(frames_in(data))
            write(data)

        socket.write = counted
        return self

    def on_text(self, text: bytes) -> None:
        self.heard.append(text)
        if text == b"echo":
            self.socket.send(text)

    def on_control(self, fragment: bool) -> bool:
        return True

    def on_binary(self, data: bytes) -> None:
        self.heard.append(data)

    def on_slow(self) -> None:
        self.slow += 1

    def on_gone(self) -> None:
        self.gone += 1

    def turns(self, *turns: list[bytes]) -> None:
        """In each turn of the loop send these frames."""
        if turns:
            for text in turns[0]:
                self.socket.send(text)
            self.loop.call_soon(self.turns, *turns[1:])


def frames_in(data: bytes) -> int:
    """How many whole frames of a server these are."""
    number = at = 0
    while at < len(data):
        size, long = data[at + 1], {126: 2, 127: 8}.get(data[at + 1], 0)
        at += 2 + long + (int.from_bytes(data[at + 2 : at + 2 + long]) if long else size)
        number += 1
    assert at == len(data)
    return number


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def port(taker: Taker) -> Iterator[int]:
    server = EdgeServer(taker, ROOMY)
    yield server.port
    server.stop()


@pytest.fixture
def client(port: int, taker: Taker) -> Iterator[Client]:
    with connected(port, "/") as client:
        client.say(frame(TEXT, b"echo"))
        client.assert_heard(TEXT, b"echo")
        in_loop(taker.loop, taker.writes.clear)
        yield client


def test_the_first_frame_of_all_may_be_empty() -> None:
    assert direct.Shared().framed(b"") == framed(b"")


def test_an_idle_relay_writes_at_once(client: Client, taker: Taker) -> None:
    def send() -> list[int]:
        taker.socket.send(b"now")
        return list(taker.writes)

    for _ in range(3):
        in_loop(taker.loop, taker.writes.clear)
        assert in_loop(taker.loop, send) == [1]
        client.assert_heard(TEXT, b"now")


def test_frames_of_one_turn_leave_in_one_write(client: Client, taker: Taker) -> None:
    turns = [[b"%d-%d" % (turn, number) for number in range(10)] for turn in range(4)]
    in_loop(taker.loop, lambda: taker.turns(*turns))
    for text in chain.from_iterable(turns):
        client.assert_heard(TEXT, text)
    assert in_loop(taker.loop, lambda: taker.writes) == [1, 1, 8, 10, 10, 10]  # the first two found the relay idle


def test_a_frame_waits_no_longer_than_its_turn(client: Client, taker: Taker) -> None:
    """Even if nothing follows it."""
    for _ in range(3):
        in_loop(taker.loop, lambda: taker.turns([b"a", b"b", b"c"], [b"d"]))
        for text in (b"a", b"b", b"c", b"d"):
            client.assert_heard(TEXT, text)


@pytest.mark.parametrize("seed", range(6))
def test_a_slow_reader_gets_every_byte_in_order(port: int, taker: Taker, seed: int) -> None:
    """The kernel takes only a part of what is written, in the middle of small and of large frames."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    sizes = [0, 10, 125, 126, 300, USUAL, USUAL + 1, 9_000, 65_535, 65_536, 200_000]
    turns = [
        [
            b"%d:" % chance.randrange(10**9) + pattern(chance.choice(sizes))
            for _ in range(chance.choice([0, 0, 1, 2, 5]))
        ]
        for _ in range(150)
    ]
    client = Client(port, receive_buffer=4_096)
    client.upgrade("/")
    until(lambda: hasattr(taker, "socket"), "the socket")
    in_loop(taker.loop, lambda: taker.turns(*turns, [b"last"]))
    until(lambda: in_loop(taker.loop, taker.socket.link.waiting) > 0, "a full socket")
    for text in [*chain.from_iterable(turns), b"last"]:
        client.assert_heard(TEXT, text)
    client.close()


def test_one_close_stands_behind_all_frames(client: Client, taker: Taker) -> None:
    def act() -> None:
        for text in (b"a", b"b", b"c"):
            taker.socket.send(text)
        taker.socket.close(4400, "why")
        taker.socket.send(b"behind")
        taker.socket.close(4401, "again")

    in_loop(taker.loop, act)
    for text in (b"a", b"b", b"c"):
        client.assert_heard(TEXT, text)
    client.assert_closed(4400)
    until(lambda: taker.gone, "the end")
    assert taker.gone == 1


def test_what_came_before_the_path_was_taken_is_delivered(port: int, taker: Taker) -> None:
    """More of it than the server queues without a pause."""
    client = Client(port)
    client.say(request("/early"))
    until(lambda: taker.may_accept is not None, "the application")
    said = [b"%d" % number for number in range(50)]
    client.say(*(frame(TEXT, text) for text in said), frame(BINARY, b"\xff"))
    for _ in range(5):
        in_loop(taker.loop, lambda: None)  # turns, in which it is read
    assert taker.may_accept is not None
    in_loop(taker.loop, taker.may_accept.set)
    assert client.answer(body=False)[0] == 101
    client.say(frame(TEXT, b"echo"))
    client.assert_heard(TEXT, b"echo")
    assert taker.heard == [*said, b"\xff", b"echo"]
    client.close()


@pytest.mark.parametrize("limits", [{"unsent": 1_000_000}, {"unsent_kept": 1_000_000, "unsent_seconds": 1}])
def test_a_reader_that_is_too_slow_is_told_of(taker: Taker, limits: dict[str, int]) -> None:
    usual = {"unsent": 100_000_000, "unsent_kept": 500_000}
    server = EdgeServer(taker, Limits(**usual | limits))
    client = Client(server.port, receive_buffer=4_096)
    client.upgrade("/")
    until(lambda: hasattr(taker, "socket"), "the socket")
    in_loop(taker.loop, lambda: taker.turns(*[[pattern(60_000)]] * 200))
    until(lambda: taker.slow, "the notice")
    in_loop(taker.loop, taker.socket.link.abort)
    until(lambda: taker.gone, "the end")
    client.close()
    server.stop()


# --- the relay's consumer --------------------------------------------------------------------------------------------


class Marked:
    """Stands in a scope, and goes with it."""


class Node(CoreRelay):
    """The relay's hub behind the consumer, on a server. Counts what is still there of past connections."""

    def __init__(self) -> None:
        super().__init__()
        self.consumer = RelayConsumer(self, TrustedProxies(()))  # type: ignore[arg-type]
        self.scopes: list[weakref.ref[Marked]] = []

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["marked"] = marked = Marked()
        self.scopes.append(weakref.ref(marked))
        del marked
        await self.consumer(scope | {"url_route": {"kwargs": {"project_id": scope["path"].strip("/")}}}, receive, send)

    def held(self) -> tuple[int, int, int]:
        """Tasks, scopes, and protocol objects of the upgrade."""
        gc.collect()
        # by type: isinstance asks a weak proxy for its class, and what it stood for may be gone
        upgrades = sum(issubclass(type(thing), FastWebSocketProtocol) for thing in gc.get_objects())
        return len(asyncio.all_tasks(self.loop)), sum(scope() is not None for scope in self.scopes), upgrades


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def node_port(node: Node) -> Iterator[int]:
    server = EdgeServer(node)
    yield server.port
    server.stop()


def say(client: Client, type: str, **fields: Any) -> None:
    client.say(frame(TEXT, json.dumps({"type": type, **fields}).encode()))


def hear(client: Client) -> dict[str, Any]:
    kind, payload = client.hear()
    assert kind == TEXT
    heard: dict[str, Any] = json.loads(payload)
    return heard


def peers(stack: ExitStack, port: int, number: int, key: str) -> list[Client]:
    """Connected to Alice's project, welcomed."""
    made = []
    for _ in range(number):
        path, spoken = "/aliceproject", "gluer.v1.json"
        client = stack.enter_context(connected(port, path, Sec_WebSocket_Protocol=spoken))
        say(client, "hello", key=key)
        assert hear(client)["type"] == "welcome"
        made.append(client)
    return made


def test_a_connection_holds_no_task_and_no_scope(node: Node, node_port: int) -> None:
    with ExitStack() as stack:
        peers(stack, node_port, 1, node.alice.public_key)
        tasks, scopes, upgrades = in_loop(node.loop, node.held)
        peers(stack, node_port, MANY, node.alice.public_key)
        assert in_loop(node.loop, node.held) == (tasks, scopes, upgrades)
        assert (scopes, upgrades) == (0, 0)
        assert node.hub.connections == MANY + 1
    until(lambda: node.hub.connections == 0, "the hub to know")


@pytest.mark.parametrize("welcomed", [True, False], ids=["welcomed", "before the hello"])
@pytest.mark.parametrize("kind", [PING, PONG, CONTINUATION], ids=["pings", "pongs", "empty fragments"])
def test_a_flood_of_pings_ends_the_connection(node: Node, node_port: int, kind: int, welcomed: bool) -> None:
    node.hub.limits = msgspec.structs.replace(node.limits, rate=5)
    with ExitStack() as stack:
        path, spoken = "/aliceproject", "gluer.v1.json"
        client = stack.enter_context(connected(node_port, path, Sec_WebSocket_Protocol=spoken))
        if welcomed:
            say(client, "hello", key=node.alice.public_key)
            assert hear(client)["type"] == "welcome"
        if kind == CONTINUATION:
            client.say(frame(TEXT, b"?" * 512, last=False), *[frame(kind, b"", last=False)] * 16)
        else:
            client.say(*[frame(kind, b"?")] * 16)
        for _ in range(10 if kind == PING else 0):  # the burst; above it none is answered
            client.assert_heard(PONG, b"?")
        assert hear(client) | {"message": ""} == {
            "type": "bye", "code": "rate_limited", "reconnect": True, "after": 5_000, "message": "",
        }  # fmt: skip
        client.assert_closed(4429)


EARLY = {
    "a frame": [frame(TEXT, b"x" * 40_000)],
    "a frame that does not end": [frame(TEXT, b"x" * 180_000)[:40_000]],
    "fragments": [frame(TEXT, b"x" * 10_000, last=False), *[frame(CONTINUATION, b"x" * 10_000, last=False)] * 3],
}


@pytest.mark.parametrize("pieces", EARLY.values(), ids=EARLY)
def test_a_socket_that_is_not_welcomed_is_read_for_32_kib_only(node: Node, node_port: int, pieces: list[bytes]) -> None:
    node.slow_directory = True
    with connected(node_port, "/aliceproject", Sec_WebSocket_Protocol="gluer.v1.json") as client:
        client.say(*pieces)
        assert hear(client)["code"] == "payload_too_large"
        client.assert_closed(4413)
    assert node.hub.traffic.bytes_in <= 32_768


def test_what_comes_behind_a_hello_waits_for_the_welcome_however_large_it_is(node: Node, node_port: int) -> None:
    """A back end tells all its functions there (GP-6)."""
    node.slow_directory = True
    with connected(node_port, "/aliceproject", Sec_WebSocket_Protocol="gluer.v1.json") as client:
        say(client, "hello", key=node.alice.public_key)
        for number in range(10):
            say(client, "subscribe", id=str(number), channels=["a"], ignored="x" * 60_000)
        until(lambda: node.waiting, "the hello")
        assert node.hub.traffic.bytes_in < 200_000
        in_loop(node.loop, node.look_up)
        assert hear(client)["type"] == "welcome"
        assert [hear(client)["id"] for _ in range(10)] == [str(number) for number in range(10)]


def test_a_socket_that_is_welcomed_is_read_in_full(node: Node, node_port: int) -> None:
    with ExitStack() as stack:
        (page,) = peers(stack, node_port, 1, node.alice.public_key)
        say(page, "subscribe", id="1", channels=["a"], ignored="x" * 150_000)
        assert hear(page)["id"] == "1"


def test_who_floods_behind_our_close_is_cut(node: Node, node_port: int) -> None:
    with ExitStack() as stack:
        (page,) = peers(stack, node_port, 1, node.alice.public_key)
        page.say(frame(BINARY, b"?"))

        def flood() -> None:
            for _ in range(10_000):
                page.say(frame(TEXT, b"{}") * 100)

        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            flood()


def test_a_flood_of_fragments_waits_in_the_network(node: Node, node_port: int) -> None:
    node.hub.limits = msgspec.structs.replace(node.limits, rate_bytes=50_000)
    with ExitStack() as stack:
        (page,) = peers(stack, node_port, 1, node.alice.public_key)
        page.say(frame(TEXT, b"[" * 512, last=False), *[frame(CONTINUATION, b" " * 512, last=False)] * 350)
        (connection,) = node.alice.tenant.connections
        until(lambda: connection.bytes.full_until > time.monotonic() + 1, "the fragments to be charged")


def test_a_flood_of_bytes_waits_in_the_network_and_none_is_lost(node: Node, node_port: int) -> None:
    rate, size, number, portion = 10_000_000, 180_000, 250, 1_000_000  # what is read at once, with half a message
    node.hub.limits = msgspec.structs.replace(node.limits, rate_bytes=rate)
    with ExitStack() as stack:
        (page,) = peers(stack, node_port, 1, node.alice.public_key)
        began = time.monotonic()
        flood = [
            json.dumps({"type": "subscribe", "id": str(n), "channels": ["a"], "ignored": "x" * size}).encode()
            for n in range(number)
        ]
        sender = threading.Thread(target=lambda: page.say(*(frame(TEXT, text) for text in flood)), daemon=True)
        sender.start()
        for n in range(number):
            assert hear(page)["id"] == str(n)
            assert node.hub.traffic.bytes_in <= rate * (2 + time.monotonic() - began) + portion
        sender.join(10)


def subscribed(stack: ExitStack, node: Node, port: int, number: int, receive_buffer: int = 0) -> list[Client]:
    """Front ends of Alice's project that subscribe to "news"."""
    made = []
    for _ in range(number):
        client = stack.enter_context(
            connected(port, "/aliceproject", receive_buffer=receive_buffer, Sec_WebSocket_Protocol="gluer.v1.json")
        )
        say(client, "hello", key=node.alice.public_key)
        assert hear(client)["type"] == "welcome"
        say(client, "subscribe", id="1", channels=["news"])
        assert hear(client)["type"] == "result"
        made.append(client)
    return made


def test_slow_subscribers_share_what_waits_for_them_and_the_slowest_are_cut(node: Node, node_port: int) -> None:
    node.hub.limits = msgspec.structs.replace(node.limits, project_unsent=5_000_000)
    news = "x" * 180_000
    with ExitStack() as stack:
        (speaker,) = peers(stack, node_port, 1, node.alice.private_key)
        slow = subscribed(stack, node, node_port, 20, receive_buffer=4_096)
        (quick,) = subscribed(stack, node, node_port, 1)

        def publish() -> None:
            say(speaker, "publish", channel="news", data=news)
            assert hear(quick)["data"] == news

        def slow_ones() -> int:
            return in_loop(node.loop, lambda: len(node.hub.unsent.backlogs))  # type: ignore[no-any-return]

        def waiting() -> tuple[int, int]:
            frames = {id(frame) for backlog in node.hub.unsent.backlogs for frame in backlog.frames}
            return node.hub.unsent.bytes, len(frames)

        while slow_ones() < len(slow):  # the kernel takes the first ones
            publish()
        size, frames = in_loop(node.loop, waiting)
        assert size < (frames + 1) * len(news)
        while slow_ones() == len(slow):
            publish()
        assert in_loop(node.loop, waiting)[0] <= 5_000_000
        publish()
        assert node.hub.totals.closes[4430] >= 1
    until(lambda: node.hub.unsent.bytes == 0, "all to be let go")


@pytest.mark.interpreted
def test_a_fan_out_is_framed_once(node: Node, node_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def counted(text: bytes) -> bytes:
        made.append(text)
        return framed(text)

    monkeypatch.setattr(direct, "framed", counted)
    with ExitStack() as stack:
        subscribers = peers(stack, node_port, MANY, node.alice.public_key)
        (publisher,) = peers(stack, node_port, 1, node.alice.private_key)
        for client in subscribers:
            say(client, "subscribe", id="1", channels=["news"])
            assert hear(client)["type"] == "result"
        news = pattern(USUAL + 1).decode()
        say(publisher, "publish", id="1", channel="news", data=news)
        for client in subscribers:
            assert hear(client)["data"] == news
        assert hear(publisher)["data"] == {"receivers": MANY}
    assert len([text for text in made if news.encode() in text]) == 1
