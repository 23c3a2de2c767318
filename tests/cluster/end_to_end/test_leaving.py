"""Servers leave and relays die, with the SDKs as they are shipped."""

import asyncio
import signal
from typing import Any

import pytest

from tests.cluster.end_to_end.door import Project
from tests.cluster.end_to_end.program import BackEnd, FrontEnd

AT_ONCE = 40  # calls
SESSION = "session-of-a-page"


def work(page: FrontEnd, numbers: range) -> "asyncio.Future[list[Any]]":
    """What became of calls of 200 ms, all at the same time."""
    calls = (page.call("shop:work", {"number": number, "ms": 200}) for number in numbers)
    return asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize("signalled", [False, True], ids=["disconnect()", "SIGTERM"])
async def test_a_server_that_leaves_under_calls_loses_none(alice: Project, signalled: bool) -> None:
    leaving, staying = [await alice.back_end(drainOnSignal=True) for _ in range(2)]
    page = await alice.front_end()
    first = work(page, range(AT_ONCE))
    await leaving.told("began")
    gone = asyncio.create_task(leave(leaving, signalled))
    second = work(page, range(AT_ONCE, 2 * AT_ONCE))
    await gone
    third = work(page, range(2 * AT_ONCE, 3 * AT_ONCE))
    replies = [reply for batch in (first, second, third) for reply in await batch]
    assert replies == [{"data": number} for number in range(3 * AT_ONCE)]
    assert sorted(leaving.numbers_of("finished") + staying.numbers_of("finished")) == list(range(3 * AT_ONCE))
    assert set(range(2 * AT_ONCE, 3 * AT_ONCE)) <= set(staying.numbers_of("began"))
    await alice.sees(1)


async def leave(server: BackEnd, signalled: bool) -> None:
    if signalled:
        assert await server.ended_by(signal.SIGTERM) == -signal.SIGTERM  # as if nobody had caught it
    else:
        await server.ask("disconnect")


async def test_a_page_whose_relay_is_killed_comes_back_with_its_subscriptions(alice: Project) -> None:
    server = await alice.back_end()
    page = await alice.front_end(session=SESSION)
    await page.offer("confirm")
    await page.subscribe("news")
    in_flight = asyncio.create_task(page.error("shop:work", {"number": 1, "ms": 60_000}))
    await server.told("began", number=1)
    await alice.kill_the_front_ends_relay()
    assert (await in_flight).code == "connection_lost"
    assert (await page.call("shop:work", {"number": 2, "ms": 0}))["data"] == 2
    assert [told["reconnected"] for told in page.all("connection")] == [False, True]
    assert await server.publish("news", "We are back.") == 1
    await page.told("message", channel="news", data="We are back.")
    assert (await server.call_page("confirm", "Buy?", session=SESSION))["data"]["data"] == "Buy?"
    await server.told("stopped", number=1)
    assert server.numbers_of("began") == [1, 2]
