"""Peers that fall silent, and peers that do not read (GP-3, GP-5C)."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

MIB = 1_048_576
UNSENT = 4 * MIB  # bytes that may wait for one reader
SECONDS = 2  # that more than UNSENT_KEPT may wait
UNSENT_KEPT = MIB // 2
ABORT_AFTER = 10  # s


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    limits = {"unsent": UNSENT, "unsent_kept": UNSENT_KEPT, "unsent_seconds": SECONDS}
    with running(RelayServer(home, "uvicorn", **limits), office) as server:
        yield server


async def test_a_ping_of_the_client_is_answered(alice: Shop) -> None:
    for peer in (await alice.frontend(), await alice.backend()):
        await peer.send("ping")
        await peer.assert_received("pong")


async def test_a_back_end_that_never_pongs_is_closed(alice: Shop) -> None:
    mute, talking, caller = await alice.backend("f"), await alice.backend(), await alice.frontend()
    began = time.monotonic()
    talks = asyncio.create_task(talk(talking))
    frames = [json.loads(await mute.socket.recv())]
    assert 9.5 < time.monotonic() - began < 11.5
    assert frames == [{"type": "ping"}]
    await caller.send("call", id="1", cmd="f")
    assert [frame["type"] for frame in await unanswered(mute)] == ["call", "ping", "bye"]
    assert mute.close_code == 4409
    assert 14.5 < time.monotonic() - began < 17
    await caller.assert_received("error", id="1", code="callee_lost")
    assert await talks == {"type": "ping"}
    await talking.assert_silent()


async def unanswered(peer: Peer) -> list[Frame]:
    """Everything until the end of the connection."""
    frames = []
    with suppress(ConnectionClosed):
        while True:
            frames.append(json.loads(await peer.socket.recv()))
    return frames


async def talk(peer: Peer) -> object:
    """Answers its first ping, and says what it was."""
    ping = json.loads(await peer.socket.recv())
    await peer.send("pong")
    return ping


async def deaf(shop: Shop, channel: str) -> Peer:
    """A subscriber that stops reading: nobody takes what its socket has received."""
    peer = await shop.socket(max_queue=1)
    await peer.hello(key=shop.public)
    return await peer.subscribe(channel)


async def publish(publisher: Peer, size: int, number: int) -> None:
    """Messages of `size` bytes, each when the one before has reached everybody."""
    for message in range(number):
        await publisher.send("publish", id="1", channel="news", data={"n": message, "fill": "x" * size})
        await publisher.assert_received("result")


async def heard(peer: Peer, number: int) -> list[int]:
    return [(await peer.assert_received("message"))["data"]["n"] for _ in range(number)]


async def test_a_subscriber_that_does_not_read_is_closed_and_others_hear_everything(alice: Shop) -> None:
    publisher = await alice.backend()
    reading = [await (await alice.frontend()).subscribe("news") for _ in range(3)]
    slow = await deaf(alice, "news")
    before = alice.relay.memory()
    number = 80
    hearing = [asyncio.create_task(heard(peer, number)) for peer in reading]
    await publish(publisher, MIB // 2, number)  # 40 MiB, ten times what may wait
    for numbers in hearing:
        assert await numbers == list(range(number))
    grown = alice.relay.memory() - before
    print(f"a reader that did not read: {grown / MIB:.1f} MiB")
    assert grown < 8 * UNSENT
    got = await slow.assert_closed(4430, code="slow_consumer", reconnect=True)
    assert [frame["data"]["n"] for frame in got] == list(range(len(got)))  # a part, without a hole
    assert len(got) < number


async def test_a_little_too_much_for_too_long_closes_too(alice: Shop) -> None:
    publisher, slow = await alice.backend(), await deaf(alice, "news")
    await publish(publisher, 64 * 1024, 150)  # more than the sockets' buffers and UNSENT_KEPT
    began = time.monotonic()
    while await receivers(publisher):
        assert time.monotonic() - began < SECONDS + 1
    await slow.assert_closed(4430)


async def receivers(publisher: Peer) -> int:
    """How many subscribe to the channel; a small message goes to each."""
    await publisher.send("publish", id="1", channel="news", data={"n": -1})
    found: int = (await publisher.assert_received("result"))["data"]["receivers"]
    return found


async def test_one_that_never_reads_again_is_cut_off(alice: Shop) -> None:
    publisher, slow = await alice.backend(), await deaf(alice, "news")
    await publish(publisher, MIB // 2, 30)
    began = time.monotonic()
    while await receivers(publisher):
        assert time.monotonic() - began < 1
    assert alice.relay.has_socket_to(slow.port)  # it may still read what waits for it
    while alice.relay.has_socket_to(slow.port):
        assert time.monotonic() - began < ABORT_AFTER + 2
        await asyncio.sleep(0.1)
    assert (await alice.frontend()).welcome
