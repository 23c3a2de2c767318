"""50,000 idle connections held on one machine: calls are answered meanwhile, and nothing stays of them.

Where the limit of open files lets one process hold them all, one relay does. Else they are spread over as many as it
takes. These share a database and nothing else (a project's front ends and back ends must reach the same one), so each
has a project, a back end and a caller of its own, and none is spared pings or calls.
"""

from asyncio import gather
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import count
from math import ceil

import pytest

from tests.long.branch import Branch, Use
from tests.long.machine import PER_ADDRESS, most_open_files, shares
from tests.long.steady import percentile
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

pytestmark = pytest.mark.long

IDLE = 50_000
HOLD = 60  # s; a visitor is pinged 25 s and 50 s after its welcome (GP-3)
PINGS = 2
RATE = 40  # calls a second in each relay
SLOWEST = 50.0  # ms, of 99 in 100 calls
KEPT = 1024  # bytes of each of the 12,000 that a visitor takes; the allocator's own growth is half of it
ENOUGH = 1_000_000_000  # requests a month
AT_ONCE = 20_000  # visitors a second; the product lets in fewer from one address, and with one key


@pytest.fixture
def relays(home: Home, office: Office) -> Iterator[list[RelayServer]]:
    """As few as the limit of open files allows."""
    with most_open_files(), ExitStack() as stack:
        servers = [
            RelayServer(home, ip_hellos=AT_ONCE, key_hellos=AT_ONCE, key_connections=2 * IDLE) for _ in shares(IDLE)
        ]
        yield [stack.enter_context(running(server, office)) for server in servers]


@pytest.fixture
async def branches(relays: list[RelayServer], office: Office) -> AsyncIterator[list[Branch]]:
    """Alice's, on plans that last."""
    addresses = (f"127.0.0.{number}" for number in count(1))
    branches = []
    for relay, idle in zip(relays, shares(IDLE), strict=True):
        shop = Shop.open(relay, office, "Alice")
        office.ask("set_plan", workspace=shop.workspace, requests=ENOUGH)
        branches.append(Branch(shop, spread(idle, addresses)))
        await branches[-1].open(RATE)
    yield branches
    await gather(*(branch.close() for branch in branches))


def spread(visitors: int, addresses: Iterator[str]) -> dict[str, int]:
    """How many of them come from each of the next addresses."""
    sources = ceil(visitors / PER_ADDRESS)
    return {next(addresses): visitors // sources + (number < visitors % sources) for number in range(sources)}


async def test_calls_are_answered_beside_fifty_thousand_idle_connections(branches: list[Branch]) -> None:
    await gather(*(branch.fill() for branch in branches))
    await gather(*(branch.caller.call(HOLD) for branch in branches))
    for branch in branches:
        print(f"\n{branch.figures()}", end="")
    for branch in branches:
        assert branch.open_connections() == branch.idle + len(branch.shop.peers)
        report = branch.visitors.report()
        assert report == {**report, "open": branch.idle, "told": []}
        assert report["fewest"] >= PINGS
        assert percentile(branch.caller.took, 99) < SLOWEST


async def test_nothing_stays_of_fifty_thousand_idle_connections(branches: list[Branch]) -> None:
    """Of the second crowd, that is: Python lets objects go that refer to each other when many new ones have come."""
    first = await come_and_go(branches)
    second = await come_and_go(branches)
    for branch, before, after in zip(branches, first, second, strict=True):
        kept = (after.memory - before.memory) / branch.idle
        print(f"\n{branch.idle} came and went: {kept:+.0f} bytes each", end="")
        assert kept < KEPT


async def come_and_go(branches: list[Branch]) -> list[Use]:
    """What each relay uses when its visitors have left."""
    await gather(*(branch.fill() for branch in branches))
    return await gather(*(branch.clear() for branch in branches))
