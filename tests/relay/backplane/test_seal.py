"""Whoever can write to Redis and does not know the installation's secret changes nothing, and is counted."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic, time

import msgspec
import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from hypothesis import given
from hypothesis import strategies as st

from relay.backplane.layer import GROUP, Backplane
from relay.backplane.messages import Batch, Beat, ForPeer, Leaving, pack
from relay.backplane.seal import OLDEST, Seal
from relay.core.deadlines import STEP
from tests.cluster.harness.redis import Redis
from tests.relay.backplane.network import ADD, Network, OneOfMany, handed
from tests.relay.contract.conftest import until
from tests.relay.core.cast import Peer

SECRET, NOW = "a secret of the tests", 1_000.0


@pytest.fixture
def seal() -> Seal:
    return Seal(SECRET)


def test_a_batch_comes_back_as_it_was(seal: Seal) -> None:
    for batch in (b"", b"batch", b"x" * 300_000):
        assert Seal(SECRET).open(seal.close(batch, NOW), NOW) == batch
    assert not seal.rejected


@given(st.binary() | st.text() | st.none() | st.integers())
def test_what_nobody_sealed_is_rejected_and_counted(junk: object) -> None:
    seal = Seal(SECRET)
    assert seal.open(junk, NOW) is None
    assert seal.rejected == {"forged": 1}


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_sealed_batch_with_a_byte_changed_is_rejected(at: int, change: int) -> None:
    seal = Seal(SECRET)
    sealed = bytearray(seal.close(b"a batch", NOW))
    sealed[at % len(sealed)] ^= change
    assert seal.open(bytes(sealed), NOW) is None
    assert seal.rejected == {"forged": 1}


def test_another_installations_batch_is_rejected(seal: Seal) -> None:
    assert seal.open(Seal("another secret").close(b"batch", NOW), NOW) is None


@pytest.mark.parametrize("age", [OLDEST + 1, -OLDEST - 1])
def test_a_batch_of_an_earlier_life_is_too_old(seal: Seal, age: float) -> None:
    """A process that is forgotten has no numbers any more by which what it said could be known again."""
    assert seal.open(seal.close(b"batch", NOW), NOW + age) is None
    assert seal.rejected == {"stale": 1}


def test_a_batch_for_another_process_is_not_taken(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    batch = next(payload for to, payload in reversed(network.told) if call.encode() in payload)
    bystander = network.join()
    unread = bystander.mesh.unread
    bystander.mesh.receive(batch, network.now)
    assert bystander.mesh.unread == unread + 1
    network.lives(1)
    network.assert_agreed()


# --- over a real Redis ------------------------------------------------------------------------------------------------


class Process:
    """A relay's core and its way through Redis, with a clock of its own."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.core = OneOfMany(name=name)
        layer = RedisPubSubChannelLayer(
            hosts=[{"address": redis.url, "socket_timeout": None, "protocol": 2}], prefix="gluer"
        )
        self.seal = Seal(SECRET)
        self.backplane = Backplane(self.core.hub, layer, self.seal)
        self.layer = layer

    async def run(self) -> None:
        sending = asyncio.create_task(self.backplane.run())
        try:
            while True:
                self.backplane.tick(monotonic())
                await asyncio.sleep(STEP)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            await self.layer.flush()

    @property
    def agrees(self) -> bool:
        mesh = self.backplane.mesh
        return mesh.connected and len(mesh.processes) == 1 and all(p.complete for p in mesh.processes.values())


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    yield redis.start()
    redis.close()


@pytest.fixture
async def two(redis: Redis) -> AsyncIterator[tuple[Process, Process]]:
    processes = Process(redis, "one-"), Process(redis, "other-")
    tasks = [asyncio.create_task(process.run()) for process in processes]
    await until(lambda: all(process.agrees for process in processes), "both to know each other")
    yield processes
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_junk_and_forgeries_in_redis_are_counted_and_change_nothing(
    redis: Redis, two: tuple[Process, Process], caplog: pytest.LogCaptureFixture
) -> None:
    here, there = two
    server = there.core.alice.backend(ADD)
    page = here.core.alice.frontend()
    here_id, there_id = here.backplane.mesh.id, there.backplane.mesh.id
    header = {"session": "s", "connection": "c", "peer": "frontend", "user": "an administrator"}
    frame = {"type": "call", "id": "7", "cmd": ADD, "data": 1, "timeout": 9_000, "header": header}
    forged = ForPeer("aliceproject", server.connection.id, json.dumps(frame).encode())
    batches = [
        pack(Batch(here_id, there_id, 99_999_999_999, 1, [forged])),
        pack(Batch(here_id, "", 99_999_999_999, 1, [Leaving()])),
        pack(Batch("stranger", "", 1, 1, [Beat(7, {}, {})])),
    ]
    batches += [Seal("guessed").close(batch, time()) for batch in batches]
    things: list[object] = [7, None, [], {}, {"batch": 5}, *({"type": "relay", "batch": batch} for batch in batches)]
    junk = [b"junk", b"\xc1", b"", *map(msgspec.msgpack.encode, things)]
    for to in (f"gluer__group__{GROUP}", f"gluer__group__{there_id}"):
        for payload in junk:
            assert redis.ask("PUBLISH", to, payload)
    await until(
        lambda: there.seal.rejected["forged"] == 2 * len(junk) and here.seal.rejected["forged"] == len(junk),
        "all to be counted",
    )
    assert {len(process.backplane.mesh.processes) for process in two} == {1}
    assert all(process.backplane.mesh.connected for process in two)
    server.assert_silent()
    await until(lambda: bool(here.core.alice.tenant.remote), "the server to be known")
    page.calls(ADD, "c1", data={"a": 5})
    await until(lambda: bool(server.inbox), "the call")
    server.answers({"result": 8}, data={"a": 5})
    await until(lambda: bool(page.inbox), "the result")
    page.assert_received("result", id="c1", data={"result": 8})
    assert [record for record in caplog.records if "Redis is away" in record.message or record.exc_info] == []


async def test_what_was_said_once_is_not_heard_again(redis: Redis, two: tuple[Process, Process]) -> None:
    """Whoever listens in Redis can say it all once more: calls, publishes, and that a process leaves."""
    here, there = two
    heard: list[tuple[bytes, bytes]] = []
    with redis.listening(f"gluer__group__{GROUP}", f"gluer__group__{there.backplane.mesh.id}") as listener:
        server, page = there.core.alice.backend(ADD), here.core.alice.frontend()
        publisher = here.core.alice.backend()
        server.subscribes("news")
        await until(lambda: bool(here.core.alice.tenant.remote), "the server to be known")
        page.calls(ADD, "c1")
        publisher.sends("publish", id="p", channel="news", data=1)
        await until(lambda: len(server.inbox) == 2, "a call and a message")
        while (message := listener.get_message(timeout=0.5)) and len(heard) < 50:
            heard += [(message["channel"], message["data"])] if message["type"] == "message" else []
    server.inbox.clear()
    assert len(heard) > 3
    for _ in range(3):
        for to, payload in heard:
            redis.ask("PUBLISH", to, payload)
    page.calls(ADD, "c2", data="after it")
    await until(lambda: bool(server.inbox), "the call")
    assert [frame.get("data") for frame in server.inbox if frame["type"] != "ping"] == ["after it"]
    assert not here.seal.rejected
