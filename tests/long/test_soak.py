"""Five minutes of calls while back ends and front ends are killed: every call is accounted for, and nothing stays."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.long.crowd import IN_FLIGHT, STEADY, Crowd
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.load import Load
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, add

pytestmark = pytest.mark.long

WARM_UP, SOAK = 60, 240  # s
MIB = 1_048_576
GROWTH = 4 * MIB  # that the allocator may keep; 500 bytes of every tenth call would be twice that
ENOUGH = 1_000_000_000  # requests a month


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(home), office) as server:
        yield server


@pytest.fixture
async def crowd(alice: Shop, office: Office, tmp_path: Path) -> AsyncIterator[Crowd]:
    """Alice's, on a plan that lasts."""
    office.ask("set_plan", workspace=alice.workspace, requests=ENOUGH)
    crowd = Crowd(alice, tmp_path, seed=20)
    yield crowd
    crowd.leave()


async def test_every_call_is_accounted_for_while_peers_are_killed(
    alice: Shop, charlie: Shop, crowd: Crowd, office: Office
) -> None:
    await serve(charlie, "calculator:add")
    await serve(alice, STEADY)
    loads = await live(crowd, alice, charlie, WARM_UP)
    base = alice.relay.memory()
    loads += await live(crowd, alice, charlie, SOAK)
    grown = alice.relay.memory() - base
    alice.relay.stop()  # and writes its last counts down

    hers, his = [load for load, shop in loads if shop is alice], [load for load, shop in loads if shop is charlie]
    seen = crowd.outcomes()
    report(crowd, hers, his, seen, grown)
    for load, _ in loads:
        load.assert_one_outcome_each()
    assert all(load.count() == load.made for load in his)  # a stranger notices nothing
    assert {code for load in hers for code in outcomes(load)} == {"result", "callee_lost"}
    for log in seen:
        assert {code for _, code in log} <= {"result"}
        assert len({id for id, _ in log}) == len(log)

    assert office.ask("project_used", id=charlie.id) == sum(load.made for load in his)
    certain = sum(load.made for load in hers) + sum(map(len, seen))
    assert certain <= office.ask("project_used", id=alice.id) <= certain + IN_FLIGHT * len(crowd.callers)
    assert grown < GROWTH


async def live(crowd: Crowd, alice: Shop, charlie: Shop, seconds: float) -> list[tuple[Load, Shop]]:
    """Calls and kills for so long, until all who may be killed have gone. Returns the loads of those who may not."""
    await crowd.enter()
    loads = [(Load(await shop.frontend(), in_flight=IN_FLIGHT), shop) for shop in (alice, alice, charlie)]
    calling = [asyncio.create_task(load.run()) for load, _ in loads]
    await crowd.suffer(seconds)
    for load, _ in loads:
        load.stop()
    await asyncio.gather(*calling)
    crowd.leave()
    await until_only_the_steady_is_left(alice)
    return loads


async def serve(shop: Shop, function: str) -> None:
    """A back end that is not killed. It answers one call after the other, slowly enough for the relay's rates."""

    async def answer(call: Frame) -> Frame:
        await asyncio.sleep(0.005)
        return await add(call)

    (await shop.backend(function)).serve(answer)


async def until_only_the_steady_is_left(shop: Shop) -> None:
    end = time.monotonic() + 10
    while len(await shop.servers()) != 1:
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def outcomes(load: Load) -> "Counter[str]":
    return Counter(code for notes in load.outcomes.values() for code, _ in notes)


def report(crowd: Crowd, hers: list[Load], his: list[Load], seen: list[list[tuple[str, str]]], grown: int) -> None:
    """For who runs this with -s."""
    of_the_killed = Counter(code for log in seen for _, code in log)
    print(f"\n{crowd.killed} kills; {grown / MIB:+.1f} MiB")
    print(f"Alice: {sum(map(outcomes, hers), Counter())}; her killed callers: {of_the_killed}")
    print(f"Charlie: {sum(map(outcomes, his), Counter())}")
