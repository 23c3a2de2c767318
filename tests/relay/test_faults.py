"""Peers that are killed under load, and thousands that come and go: every call is accounted for, and nothing stays."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.killable import KillablePeer
from tests.relay.harness.load import Load
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.raw import RawSocket
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

MIB = 1_048_576
LIMITS = {
    "rate": 1_000_000, "ip_rate": 1_000_000, "key_rate": 1_000_000, "ip_hellos": 1_000_000, "key_hellos": 1_000_000,
    "ip_connections": 100, "key_connections": 100,
}  # fmt: skip
Make = Callable[..., KillablePeer]


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """So quick peers are welcome, but only so many at once that those who stay would be missed."""
    with running(RelayServer(home, "uvicorn", **LIMITS), office) as server:
        yield server


@pytest.fixture
def killable(alice: Shop, tmp_path: Path) -> Iterator[Make]:
    """Makes peers of Alice's."""
    made: list[KillablePeer] = []

    def make(role: str, **arguments: Any) -> KillablePeer:
        made.append(KillablePeer(alice, tmp_path / f"{role}-{len(made)}", role, **arguments))
        return made[-1]

    yield make
    for peer in made:
        peer.kill()


async def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.01)


# --- kill -9 ---------------------------------------------------------------------------------------------------------


async def test_a_callee_that_is_killed_under_load(alice: Shop, killable: Make) -> None:
    callees = [killable("callee", milliseconds=5) for _ in range(3)]
    for callee in callees:
        callee.ready()
    loads = [Load(await alice.frontend(), in_flight=25) for _ in range(4)]
    calling = [asyncio.create_task(load.run()) for load in loads]

    def results() -> int:
        return sum(load.count() for load in loads)

    await until(lambda: results() > 2_000, "calls before the kill")
    callees[1].freeze()  # so that some calls are certainly there
    ended = results()
    await until(lambda: results() > ended + 300, "calls to the others")
    callees[1].kill()
    killed, ended = time.monotonic(), results()
    await until(lambda: results() > ended + 2_000, "calls after the kill")
    for load in loads:
        load.stop()
    await asyncio.gather(*calling)

    for load in loads:
        load.assert_one_outcome_each()
        assert load.made == load.count("result") + load.count("callee_lost")
    lost = sum(load.count("callee_lost") for load in loads)
    print(f"{lost} of {sum(load.made for load in loads)} calls were lost with their callee")
    assert 1 <= lost <= 100
    assert lost == sum(load.count("callee_lost", before=killed + 1) for load in loads)


async def test_a_caller_that_is_killed_under_load(alice: Shop, killable: Make) -> None:
    await alice.calculator()
    witness = Load(await alice.frontend())
    witnessing = asyncio.create_task(witness.run())
    callee = Accountant(await alice.backend("accounts"), most=1_000)
    caller = killable("caller", in_flight=50, cmd="accounts").ready()
    accounting = asyncio.create_task(callee.work())

    await until(lambda: len(callee.begun - callee.answered) == 50, "calls that wait for their answer")
    caller.kill()
    made = witness.made
    await until(lambda: callee.begun == callee.answered | callee.cancelled, "an end of every call")
    await until(lambda: witness.made > made + 500, "others' calls")
    witness.stop()
    await witnessing
    witness.assert_one_outcome_each()
    assert witness.count() == witness.made

    accounting.cancel()
    with suppress(asyncio.CancelledError):
        await accounting
    outcomes = [line.split() for line in caller.lines()[1:]]
    assert sorted(outcomes) == sorted([str(number), "result"] for number in range(1, 1_001))
    assert len(callee.answered) == 1_000
    assert len(callee.cancelled) == 50
    assert not callee.answered & callee.cancelled


class Accountant:
    """A back end that answers `most` calls, and keeps account of those it began, answered and was told to drop."""

    def __init__(self, peer: Peer, most: int) -> None:
        self.peer, self.most = peer, most
        self.begun: set[str] = set()
        self.answered: set[str] = set()
        self.cancelled: set[str] = set()

    async def work(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                frame = await self.peer.receive()
                if frame["type"] == "call":
                    assert frame["id"] not in self.begun
                    self.begun.add(frame["id"])
                    await self.answer(frame)
                else:
                    assert frame["type"] == "cancel"
                    assert frame["id"] not in self.cancelled
                    self.cancelled.add(frame["id"])

    async def answer(self, call: Frame) -> None:
        if len(self.answered) < self.most:
            self.answered.add(call["id"])
            await self.peer.send("result", id=call["id"], data={"result": call["data"]["a"]})


# --- coming and going ------------------------------------------------------------------------------------------------


async def test_ten_thousand_come_and_go_and_nothing_stays(alice: Shop) -> None:
    patient = await alice.backend("patient", name="stays")
    heard: Counter[str] = Counter()
    hearing = asyncio.create_task(hear(patient, heard))
    await come_and_go(alice, 4_000)  # memory comes to rest
    await until_alone(alice)
    memory, descriptors = alice.relay.memory(), alice.relay.descriptors()
    began = time.monotonic()
    await come_and_go(alice, 10_000)
    await until_alone(alice)
    grown = alice.relay.memory() - memory
    print(f"10,000 in {time.monotonic() - began:.0f} s; {grown / MIB:+.1f} MiB")
    assert grown < 5 * MIB  # 500 bytes of each
    assert alice.relay.descriptors() <= descriptors + 8  # of the threads that read the database

    caller, publisher = await alice.frontend(), await alice.backend()
    assert (await caller.call("passing", timeout=1))["code"] == "no_server_online"
    await publisher.send("publish", id="1", channel="news")
    await publisher.assert_received("result", data={"receivers": 0})
    await until(lambda: heard["cancel"] == 2_800, "a cancel for every call whose caller went")
    assert heard == {"call": 2_800, "cancel": 2_800}
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing


async def hear(peer: Peer, heard: "Counter[str]") -> None:
    """Count what comes, and answer nothing."""
    while True:
        heard[(await peer.receive())["type"]] += 1


async def until_alone(shop: Shop) -> None:
    """Until only the one that stays is connected."""
    end = time.monotonic() + 10
    while [server["name"] for server in await shop.servers()] != ["stays"]:
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


async def come_and_go(shop: Shop, number: int) -> None:
    """In five ways by turns, 50 at a time."""
    left = iter(range(number))

    async def some() -> None:
        for one in left:
            await WAYS[one % len(WAYS)](shop)

    await asyncio.gather(*(some() for _ in range(50)))


async def subscribe_and_close(shop: Shop) -> None:
    subscribe = {"type": "subscribe", "id": "1", "channels": ["news"]}
    socket = await RawSocket.open(shop.relay.port, shop.id, {"type": "hello", "key": shop.public}, subscribe)
    await socket.until(b'"news"')
    await socket.close()


async def vanish_after_the_welcome(shop: Shop) -> None:
    socket = await RawSocket.open(shop.relay.port, shop.id, {"type": "hello", "key": shop.public})
    await socket.until(b'"welcome"')
    socket.vanish()


async def vanish_before_the_hello(shop: Shop) -> None:
    (await RawSocket.open(shop.relay.port, shop.id)).vanish()


async def register_and_vanish(shop: Shop) -> None:
    register = {"type": "register", "id": "1", "functions": [{"name": "passing"}]}
    socket = await RawSocket.open(shop.relay.port, shop.id, {"type": "hello", "key": shop.private}, register)
    await socket.until(b'"result"')
    socket.vanish()


async def call_and_vanish(shop: Shop) -> None:
    call = {"type": "call", "id": "1", "cmd": "patient"}
    socket = await RawSocket.open(
        shop.relay.port, shop.id, {"type": "hello", "key": shop.public}, call, {"type": "ping"}
    )
    await socket.until(b'"pong"')
    socket.vanish()


WAYS = (
    subscribe_and_close,
    vanish_after_the_welcome,
    vanish_before_the_hello,
    register_and_vanish,
    call_and_vanish,
)
