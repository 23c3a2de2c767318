"""/metrics tells what was done, to who may know, and nothing of whom it was done for."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.observability.scraped import Scraped
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop
from tests.relay.test_counting import away

TOKEN = "t" * 20 + "0123456789abcdef"
FAR = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture(scope="module")
def behind_proxy(home: Home, office: Office) -> Iterator[RelayServer]:
    """Its proxy stands at 127.0.0.1."""
    server = RelayServer(home)
    server.settings |= {"GLUER_METRICS_TOKEN": TOKEN, "GLUER_TRUSTED_PROXIES": "127.0.0.1"}
    with running(server, office):
        yield server


def status(relay: RelayServer, **headers: str) -> int:
    return httpx.get(f"{relay.http}/metrics", headers=headers, trust_env=False).status_code


# --- who may know ----------------------------------------------------------------------------------------------------


def test_this_machine_may_read_without_a_token(relay: RelayServer, behind_proxy: RelayServer) -> None:
    assert status(relay) == 200
    assert status(behind_proxy) == 200


def test_a_visitor_behind_the_proxy_may_not(behind_proxy: RelayServer) -> None:
    refused = httpx.get(f"{behind_proxy.http}/metrics", headers=FAR, trust_env=False)
    assert refused.status_code == 403
    assert "GLUER_METRICS_TOKEN" in refused.json()["detail"]
    assert status(behind_proxy, **{"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}) == 403


def test_a_proxy_that_nobody_declared_makes_nobody_local(relay: RelayServer) -> None:
    assert status(relay, **FAR) == 403
    assert status(relay, **{"X-Forwarded-For": "127.0.0.1"}) == 403


def test_the_token_opens_from_anywhere(behind_proxy: RelayServer) -> None:
    assert status(behind_proxy, **FAR, Authorization=f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize("shown", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"])
def test_a_wrong_token_opens_nothing(behind_proxy: RelayServer, shown: str) -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"authorization", shown.encode())]
    assert httpx.get(f"{behind_proxy.http}/metrics", headers=headers, trust_env=False).status_code == 403


def test_without_a_token_an_empty_one_opens_nothing(relay: RelayServer) -> None:
    assert status(relay, **FAR, Authorization="Bearer") == 403


# --- what it tells ---------------------------------------------------------------------------------------------------


async def fail(call: Frame) -> dict[str, object]:
    return {"type": "error", "code": "app_error", "message": "no"}


async def test_calls_are_counted_by_outcome_and_timed(alice: Shop, relay: RelayServer) -> None:
    before = await asyncio.to_thread(Scraped, relay)
    await alice.calculator()
    failing = await alice.backend("fails")
    failing.serve(fail)
    caller = await alice.frontend()
    for _ in range(10):
        await caller.call("calculator:add", {"a": 5, "b": 3})
    for _ in range(2):
        await caller.call("fails")
    for _ in range(3):
        assert (await caller.call("nobody"))["code"] == "no_such_function"
    assert (await alice.post("/v1/call/calculator:add", json={"a": 1, "b": 2})).status_code == 200
    after = await asyncio.to_thread(Scraped, relay)

    assert after.since(before, "gluer_calls_total", outcome="result") == 11
    assert after.since(before, "gluer_calls_total", outcome="app_error") == 2
    assert after.since(before, "gluer_calls_total", outcome="no_such_function") == 3
    assert after.sum("gluer_calls_total") - before.sum("gluer_calls_total") == 16
    assert after.since(before, "gluer_call_seconds_count") == 13
    assert 0 < after.since(before, "gluer_call_seconds_sum") < 5
    assert after.since(before, "gluer_requests_refused_total", code="no_such_function") == 3
    assert after.since(before, "gluer_requests_total") == 13
    assert after.since(before, "gluer_connections_opened_total", transport="http") >= 1
    assert after.since(before, "gluer_http_answers_total", part="bus", status="2xx") == 1
    assert after.value("gluer_calls_running") == 0
    assert after.value("gluer_dependency_up", dependency="database") == 1


async def test_how_long_a_call_took_is_in_its_bucket(alice: Shop, relay: RelayServer) -> None:
    async def slow(call: Frame) -> dict[str, object]:
        await asyncio.sleep(0.15)
        return {"data": 1}

    (await alice.backend("slow")).serve(slow)
    caller = await alice.frontend()
    before = await asyncio.to_thread(Scraped, relay)
    await caller.call("slow")
    after = await asyncio.to_thread(Scraped, relay)
    assert after.since(before, "gluer_call_seconds_bucket", le="0.128") == 0
    assert after.since(before, "gluer_call_seconds_bucket", le="0.512") == 1
    assert after.since(before, "gluer_call_seconds_bucket", le="+Inf") == 1


async def test_calls_whose_caller_is_lost_are_timed_too(alice: Shop, relay: RelayServer) -> None:
    callee = await alice.backend("slow")
    before = await asyncio.to_thread(Scraped, relay)
    for key in ({"idempotency_key": "once"}, {}):
        caller = await alice.frontend()
        await caller.send("call", id="1", cmd="slow", **key)
        await callee.assert_received("call")
        await caller.vanish()
    end = time.monotonic() + 5
    while (after := await asyncio.to_thread(Scraped, relay)).since(
        before, "gluer_calls_total", outcome="caller_lost"
    ) < 2:
        assert time.monotonic() < end
    assert after.since(before, "gluer_call_seconds_count") == 2


async def test_connections_frames_and_messages_are_counted(alice: Shop, relay: RelayServer) -> None:
    before = await asyncio.to_thread(Scraped, relay)
    publisher = await alice.backend()
    readers = [await (await alice.frontend()).subscribe("news") for _ in range(2)]
    for number in range(4):
        await publisher.send("publish", id=str(number), channel="news", data="x" * 10_000)
        await publisher.assert_received("result", data={"receivers": 2})
    for reader in readers:
        for _ in range(4):
            await reader.assert_received("message")
    after = await asyncio.to_thread(Scraped, relay)

    assert after.since(before, "gluer_messages_published_total") == 4
    assert after.since(before, "gluer_messages_delivered_total") == 8
    assert after.since(before, "gluer_requests_total") == 4
    assert after.since(before, "gluer_connections", peer="frontend", transport="ws") == 2
    assert after.since(before, "gluer_connections", peer="backend", transport="ws") == 1
    assert after.since(before, "gluer_frames_total", direction="in") == 3 + 2 + 4  # hello, subscribe, publish
    assert after.since(before, "gluer_frames_total", direction="out") == 3 + 2 + 4 + 8
    assert 40_000 < after.since(before, "gluer_frame_bytes_total", direction="in") < 42_000
    assert 80_000 < after.since(before, "gluer_frame_bytes_total", direction="out") < 84_000
    for peer in (publisher, *readers):
        await peer.close()
    await until_metric(relay, lambda now: now.since(before, "gluer_connections", peer="frontend", transport="ws") == 0)
    await until_metric(relay, lambda now: now.since(before, "gluer_connections", peer="backend", transport="ws") == 0)


async def test_refusals_and_dropped_answers_are_counted(alice: Shop, relay: RelayServer) -> None:
    before = await asyncio.to_thread(Scraped, relay)
    stranger = await alice.socket()
    await stranger.send("hello", key="pk_wrong")
    await stranger.assert_closed(4401)
    late = await alice.backend()
    await late.send("result", id="4711", data=None)
    await late.assert_silent()
    after = await asyncio.to_thread(Scraped, relay)
    assert after.since(before, "gluer_hellos_refused_total", code="unauthorized") == 1
    assert after.since(before, "gluer_closes_total", code="4401") == 1
    assert after.since(before, "gluer_answers_dropped_total", reason="forged") == 1


async def test_counts_that_cannot_be_written_age(own_home: Home, own_office: Office) -> None:
    with running(RelayServer(own_home), own_office) as server:
        dora = Shop.open(server, own_office, "Dora")
        await dora.calculator()
        caller = await dora.frontend()
        with away(own_home):
            assert (await caller.call("calculator:add", {"a": 5, "b": 3}))["type"] == "result"
            await until_metric(server, lambda now: now.value("gluer_metering_lag_seconds") > 1)
            alone = await asyncio.to_thread(Scraped, server)
        assert alone.value("gluer_metering_failing") == 1
        assert alone.value("gluer_metering_batches") >= 1
        assert alone.value("gluer_dependency_up", dependency="database") == 0
        await until_metric(server, lambda now: now.value("gluer_metering_batches") == 0)
        back = await asyncio.to_thread(Scraped, server)
        assert (back.value("gluer_metering_lag_seconds"), back.value("gluer_metering_failing")) == (0, 0)
        await dora.close()


async def until_metric(server: RelayServer, condition: Callable[[Scraped], bool]) -> None:
    end = time.monotonic() + 10
    while not condition(now := await asyncio.to_thread(Scraped, server)):
        assert time.monotonic() < end, now.text
        await asyncio.sleep(0.05)


def test_a_process_that_stood_still_shows_it(relay: RelayServer) -> None:
    before = Scraped(relay)
    os.kill(relay.process.pid, signal.SIGSTOP)
    time.sleep(0.7)  # the time itself is what is tested
    os.kill(relay.process.pid, signal.SIGCONT)
    after = Scraped(relay)
    late = after.since(before, "gluer_event_loop_lag_seconds_count") - after.since(
        before, "gluer_event_loop_lag_seconds_bucket", le="0.512"
    )
    assert late == 1


def test_the_process_tells_of_its_memory_and_files(relay: RelayServer) -> None:
    now = Scraped(relay)
    assert now.value("process_resident_memory_bytes") > 10_000_000
    assert now.value("process_open_fds") > 5


# --- of whom it tells nothing ----------------------------------------------------------------------------------------


async def test_labels_do_not_grow_with_what_projects_do_and_name_none_of_it(alice: Shop, relay: RelayServer) -> None:
    before = await asyncio.to_thread(Scraped, relay)
    names = [f"department-{number}:salary" for number in range(50)]
    callee = await alice.backend(*names, name="payroll-host")
    callee.serve(fail)
    caller = await (await alice.frontend()).subscribe("board-room")
    for name in names:
        await caller.call(name, {"employee": "Zacharias"})
    after = await asyncio.to_thread(Scraped, relay)
    assert after.samples.keys() == before.samples.keys()
    assert after.since(before, "gluer_functions") == 50
    told = (alice.id, alice.public, alice.private, "department-", "payroll", "board-room", "Zacharias", "127.0.0.1")
    assert not [name for name in told if name in after.text]
