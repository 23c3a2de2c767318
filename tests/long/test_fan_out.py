"""A channel with 10,000 subscribers does not block the relay: no turn of its event loop takes longer than 20 ms."""

import asyncio
import json
import os
import signal
import statistics
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.installation import until
from tests.long.machine import assert_room, most_open_files
from tests.long.subscribers_process import CHANNEL
from tests.long.visitors import Visitors
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

pytestmark = pytest.mark.long

SUBSCRIBERS = 10_000
SOURCES = {"127.0.0.1": SUBSCRIBERS // 2, "127.0.0.2": SUBSCRIBERS // 2}  # below the limit of one address
PUBLISHES = 60
NEWS = "x" * 43  # 45 bytes of JSON
LONGEST = 0.020  # s
AT_ONCE = 20_000  # visitors a second


class MeasuredRelay(RelayServer):
    """Tells how long its event loop was blocked."""

    def __init__(self, home: Home, **limits: int) -> None:
        super().__init__(home, "uvicorn", **limits)
        self.measured = self.log.with_suffix(".measured")
        self.settings["MEASURED"] = str(self.measured)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.long.measured_web", str(self.listener.fileno())]

    def longest(self) -> dict[str, float]:
        """Since it was asked last: seconds of a `turn`, and of a `pause` of the collector."""
        self.measured.unlink(missing_ok=True)
        os.kill(self.process.pid, signal.SIGUSR1)
        until(self.measured.exists, "the measurement")
        measured: dict[str, float] = json.loads(Path(self.measured).read_text())
        return measured


class Subscribers(Visitors):
    """To the channel."""

    module = "tests.long.subscribers_process"

    def have(self, messages: int) -> bool:
        report: dict[str, Any] = self.report()
        assert report == {**report, "open": SUBSCRIBERS, "told": []}
        return bool(report["messages"] >= messages)


@pytest.fixture
def relay(home: Home, office: Office) -> Iterator[MeasuredRelay]:
    assert_room(SUBSCRIBERS, 1)
    relay = MeasuredRelay(home, ip_hellos=AT_ONCE, key_hellos=AT_ONCE)
    with most_open_files(), running(relay, office):
        yield relay


@pytest.fixture
async def shop(relay: MeasuredRelay, office: Office) -> AsyncIterator[Shop]:
    shop = Shop.open(relay, office, "Alice")
    yield shop
    await shop.close()


async def test_ten_thousand_subscribers_block_no_turn_for_longer_than_20_ms(relay: MeasuredRelay, shop: Shop) -> None:
    subscribers = Subscribers(shop, SOURCES)
    entered = await asyncio.to_thread(subscribers.entered)
    assert entered == {**entered, "open": SUBSCRIBERS, "told": []}
    publisher = await shop.backend()
    coming, turns = relay.longest(), []
    for number in range(1, PUBLISHES + 1):
        await publisher.send("publish", id=str(number), channel=CHANNEL, data=NEWS)
        await publisher.assert_received("result", id=str(number), data={"receivers": SUBSCRIBERS})
        await asyncio.to_thread(until, lambda: subscribers.have(number * SUBSCRIBERS), "the news")  # noqa: B023
        turns.append(relay.longest())
    await asyncio.to_thread(subscribers.leave)
    worst, usual = max(turn["turn"] for turn in turns), statistics.median(turn["turn"] for turn in turns)
    print(f"\n{PUBLISHES} publishes to {SUBSCRIBERS}: median {usual * 1e3:.1f}, longest {worst * 1e3:.1f} ms", end="")
    print(f"; while they came {coming['turn'] * 1e3:.1f} ms, of the collector {coming['pause'] * 1e3:.1f}", end="")
    assert worst <= LONGEST
