"""Pages and servers with the SDKs as they are shipped: their relay hangs, and another one is there."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.cluster.end_to_end.door import BehindNginx, Project
from tests.cluster.end_to_end.program import FrontEnd, GluerError
from tests.cluster.harness.cluster import Cluster

ADD = {"a": 5, "b": 3}
GOOD_AGAIN = 15  # s from the hang to the first good call
NOTHING_HEARD = "Nothing was heard from the relay."


@pytest.fixture
def door(one_cluster: Cluster) -> Iterator[BehindNginx]:
    """Whole; nobody kills a relay that hangs."""
    door = BehindNginx(one_cluster)
    yield door
    door.mend()


async def good_call(page: FrontEnd) -> list[str]:
    """Call until one is answered. Returns what the others ended with."""
    errors: list[str] = []
    while True:
        try:
            assert await page.call("shop:add", ADD) == {"data": {"result": 8}}
            return errors
        except GluerError as error:
            errors.append(str(error))


async def test_a_page_calls_again_within_15_s_when_its_relay_and_its_server_s_hangs(
    alice: Project, door: BehindNginx
) -> None:
    server = await alice.back_end(by_the_front_door=True)
    page = await alice.front_end()
    assert await good_call(page) == []
    next(relay for relay in door.cluster.relays if relay is alice.front).freeze()
    async with asyncio.timeout(GOOD_AGAIN):
        assert await good_call(page) == [f"connection_lost: {NOTHING_HEARD}"]
    for program in (page, server):
        [lost] = await program.told("disconnect")
        assert lost["message"] == NOTHING_HEARD
