"""What one tenant's registers cost another tenant's calls between two relay processes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.harness.redis import Redis
from tests.relay.harness.home import Home
from tests.relay.harness.killable import KillablePeer
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import ShopAt

Shop = ShopAt[RelayServer]
FUNCTIONS, REGISTERS = 999, 215  # REGISTERS a second: 45 kB
CALLS = 1_000
PAUSE = 0.008  # s between two calls
MOST = 3.0  # times the quiet p99


@dataclass
class Measured:
    """A run of calls: milliseconds, and what Redis took in meanwhile."""

    name: str
    p50: float
    p99: float
    redis: float  # kB/s

    def __str__(self) -> str:
        return f"{self.name:12} {self.p50:8.2f} {self.p99:8.2f} {self.redis:12.0f}"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    yield redis.start()
    redis.close()


@pytest.fixture
def home(tmp_path: Path, redis: Redis) -> Home:
    home = Home(tmp_path / "home", {"GLUER_BACKPLANE": "redis", "REDIS_URL": redis.relay_url})
    home.prepare()
    return home


@pytest.fixture
def relays(home: Home) -> Iterator[list[RelayServer]]:
    relays = [RelayServer(home) for _ in range(2)]
    for relay in relays:
        relay.start()
    yield relays
    for relay in relays:
        relay.close()


@pytest.fixture
async def shops(home: Home, relays: list[RelayServer]) -> AsyncIterator[tuple[Shop, Shop]]:
    """Alice's and Charlie's, at the second relay."""
    office = Office(home)
    alice, charlie = (ShopAt.open(relays[1], office, name) for name in ("Alice", "Charlie"))
    yield alice, charlie
    await alice.close()
    await charlie.close()
    office.close()


async def known(page: Peer) -> None:
    """Wait until the page's relay knows the back end."""
    for _ in range(100):
        if (await page.call("calculator:add", {"a": 1, "b": 1}))["type"] == "result":
            return
        await asyncio.sleep(PAUSE)
    raise AssertionError("the back end is not known")


async def calls(name: str, page: Peer, redis: Redis) -> Measured:
    """Make calls one after the other, each answered by the other process."""
    took, taken, began = [], received(redis), time.monotonic()
    for number in range(CALLS):
        start = time.monotonic()
        assert (await page.call("calculator:add", {"a": number, "b": 0}))["data"] == {"result": number}
        took.append((time.monotonic() - start) * 1000)
        await asyncio.sleep(PAUSE)
    took.sort()
    rate = (received(redis) - taken) / (time.monotonic() - began) / 1000
    return Measured(name, took[CALLS // 2], took[CALLS * 99 // 100], rate)


def received(redis: Redis) -> int:
    """Bytes that Redis was sent, ever."""
    return int(redis.ask("INFO", "stats")["total_net_input_bytes"])


@pytest.mark.attack
async def test_registers_of_one_tenant_do_not_hold_up_anothers_calls_between_processes(
    redis: Redis, relays: list[RelayServer], shops: tuple[Shop, Shop], tmp_path: Path
) -> None:
    alice, charlie = shops
    await alice.calculator()
    page = await Shop(**{**vars(alice), "relay": relays[0]}).frontend()
    await known(page)
    await calls("warm", page, redis)
    before = await calls("quiet", page, redis)
    attacker = KillablePeer(charlie, tmp_path / "attacker.log", "registrar", functions=FUNCTIONS, per_second=REGISTERS)
    try:
        attacker.ready()
        attacked = await calls("attacked", page, redis)
        let = int(attacker.lines()[-1])
    finally:
        attacker.kill()
    after = await calls("quiet again", page, redis)
    print("\n              p50 ms   p99 ms   Redis kB/s", *(before, attacked, after), f"{let} registers", sep="\n")
    assert let > REGISTERS * CALLS * PAUSE / 2, "the attacker was slow itself"
    assert attacked.p99 <= MOST * max(before.p99, after.p99)
