"""What is counted is what was handed over (GP-40), whatever is killed, and a plan ends at its limit."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from tests.embedded.installation import until
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.load import Load
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop
from tests.relay.harness.worker import Worker, broker

Trouble = Callable[[Home], AbstractContextManager[None]]
LOSS = 1.3  # s; GP-40 allows a killed relay to lose its last second, and writing takes a moment too
QUICK = {"rate": 1_000_000, "ip_rate": 1_000_000, "key_rate": 1_000_000}


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(home), office) as server:
        yield server


@pytest.fixture
def own_office(own_home: Home) -> Iterator[Office]:
    office = Office(own_home)
    yield office
    office.close()


@pytest.fixture
def own_relay(own_home: Home, own_office: Office) -> Iterator[RelayServer]:
    """One that may be killed."""
    with running(RelayServer(own_home, "uvicorn", **QUICK), own_office) as server:
        yield server


@pytest.fixture
async def dora(own_relay: RelayServer, own_office: Office) -> AsyncIterator[Shop]:
    """Somebody on the relay that may be killed."""
    shop = Shop.open(own_relay, own_office, "Dora")
    yield shop
    await shop.close()


async def until_used(shop: Shop, number: int, seconds: float = 5) -> None:
    """The workspace's count comes to this number, and no further."""
    end = time.monotonic() + seconds
    while (used := await asyncio.to_thread(shop.office.ask, "used", workspace=shop.workspace)) != number:
        assert used < number
        assert time.monotonic() < end, f"{used} of {number} are counted"
        await asyncio.sleep(0.05)


# --- what counts -----------------------------------------------------------------------------------------------------


async def test_every_request_counts_once_and_nothing_else_does(alice: Shop, charlie: Shop) -> None:
    callee, caller = await alice.backend("f"), await (await alice.frontend()).subscribe("news")
    # not counted: what is refused, what is no request, and what answers one
    assert (await caller.call("nobody"))["code"] == "no_such_function"
    await caller.send("send", cmd="nobody")
    await caller.assert_received("notice")
    await caller.send("publish", channel="news")
    await caller.assert_received("notice", code="forbidden")
    await caller.send_raw('{"type":"dance"}')
    await caller.assert_received("notice", code="bad_frame")
    assert (await alice.post("/v1/call/nobody")).status_code == 404
    assert (await alice.post("/v1/call/f", content=b"{")).status_code == 400
    # 4 calls with progress, errors and cancels
    for number in range(4):
        await caller.send("call", id=str(number), cmd="f")
        call = await callee.assert_received("call")
        await callee.send("progress", id=call["id"])
        await caller.assert_received("progress")
        if number == 3:
            await caller.send("cancel", id="3")
            await caller.assert_received("error", code="cancelled")
            await callee.assert_received("cancel")
        else:
            await callee.send("error" if number else "result", id=call["id"])
            await caller.receive()
    # 2 sends, and 3 publishes, one that nobody hears
    for _ in range(2):
        await caller.send("send", cmd="f")
        await callee.assert_received("send")
    for channel in ("news", "news", "nobody"):
        await callee.send("publish", id="p", channel=channel)
        await callee.assert_received("result", id="p")
    # 3 over HTTP
    callee.serve(nothing)
    assert (await alice.post("/v1/call/f")).status_code == 200
    assert (await alice.post("/v1/send/f")).status_code == 202
    assert (await alice.post("/v1/publish/news", alice.private)).status_code == 200
    await until_used(alice, 4 + 2 + 3 + 3)
    assert alice.office.ask("project_used", id=alice.id) == 12
    assert alice.office.ask("used", workspace=charlie.workspace) == 0


async def nothing(call: object) -> dict[str, object]:
    return {"data": None}


# --- the plan's end --------------------------------------------------------------------------------------------------


async def test_a_plan_ends_at_its_limit(alice: Shop, charlie: Shop) -> None:
    alice.office.ask("set_plan", workspace=alice.workspace, requests=50)
    server = await alice.calculator()
    caller = await alice.frontend()
    second = alice.second()
    seconds_caller, _ = await second.frontend(), await second.calculator()

    done = await Load(caller).run(most=50)
    assert done.count() == 50

    limit = {"limit": 50, "used": 50, "resets_at": alice.office.ask("resets_at")}
    for peer in (caller, seconds_caller):
        refused = await peer.call("calculator:add", {"a": 1, "b": 1})
        assert refused == {**refused, "type": "error", "code": "quota_exceeded", "data": limit, "retryable": True}
        assert refused["retry_after"] > 0
    await caller.send("send", cmd="calculator:add")
    await caller.assert_received("notice", code="quota_exceeded", data=limit)
    publisher = await alice.backend()
    await publisher.send("publish", id="p", channel="news")
    await publisher.assert_received("error", id="p", code="quota_exceeded", data=limit)
    answer = await alice.post("/v1/call/calculator:add", json={"a": 1, "b": 1})
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (429, "quota_exceeded", limit)
    assert int(answer.headers["retry-after"]) > 0

    assert server.serving
    assert not server.serving.done()  # connections stay
    await (await alice.frontend()).subscribe("news")  # and come
    await charlie.calculator()
    assert (await Load(await charlie.frontend()).run(most=60)).count() == 60
    await until_used(alice, 50)
    await second.close()


@pytest.mark.parametrize("way", ["another plan", "the same plan, changed"])
async def test_a_raised_plan_lets_requests_through(alice: Shop, way: str) -> None:
    plan = alice.office.ask("set_plan", workspace=alice.workspace, requests=5)
    await alice.calculator()
    caller = await alice.frontend()
    assert (await Load(caller, in_flight=1).run(most=6)).count("quota_exceeded") == 1
    await until_used(alice, 5)
    began = time.monotonic()
    if way == "another plan":
        await asyncio.to_thread(alice.office.ask, "set_plan", workspace=alice.workspace, requests=10)
    else:
        await asyncio.to_thread(alice.office.ask, "change_plan", slug=plan, requests=10)
    while (await caller.call("calculator:add", {"a": 1, "b": 1})).get("code") == "quota_exceeded":
        assert time.monotonic() - began < 2
        await asyncio.sleep(0.02)  # well below the rate limit
    print(f"{way}: {(time.monotonic() - began) * 1000:.0f} ms")
    assert (await Load(caller, in_flight=1).run(most=10)).count() == 4
    await until_used(alice, 10)


async def test_a_lowered_plan_stops_requests(alice: Shop) -> None:
    await alice.calculator()
    caller = await alice.frontend()
    assert (await Load(caller).run(most=5)).count() == 5
    await until_used(alice, 5)
    await asyncio.to_thread(alice.office.ask, "set_plan", workspace=alice.workspace, requests=5)
    began = time.monotonic()
    while (outcome := await caller.call("calculator:add", {"a": 1, "b": 1})).get("code") != "quota_exceeded":
        assert time.monotonic() - began < 1
        await asyncio.sleep(0.02)  # well below the rate limit
    assert outcome["data"]["limit"] == 5


# --- what may fail ---------------------------------------------------------------------------------------------------


async def test_a_relay_that_is_stopped_loses_no_count_and_says_bye(dora: Shop) -> None:
    for total in (300, 600):
        await dora.calculator()
        caller = await dora.frontend()
        assert (await Load(caller).run(most=300)).count() == 300
        assert await asyncio.to_thread(dora.relay.stop) == -signal.SIGTERM  # uvicorn ends by the signal it was sent
        assert dora.office.ask("used", workspace=dora.workspace) == total
        await caller.assert_closed(1012, code="restarting", reconnect=True)
        await asyncio.to_thread(dora.relay.start)


async def test_a_relay_that_is_killed_loses_its_last_second_at_most(dora: Shop) -> None:
    for _ in range(2):
        before = dora.office.ask("used", workspace=dora.workspace)
        await dora.calculator()
        load = Load(await dora.frontend())
        running_load = asyncio.create_task(load.run())
        await asyncio.sleep(3)  # of load, whose first two seconds must be counted
        killed = dora.relay.kill()
        await running_load
        counted = dora.office.ask("used", workspace=dora.workspace) - before
        due = load.count(before=killed - LOSS)
        print(f"{counted} of {load.made} counted, {due} were due; lost {killed - load.when(counted):.2f} s")
        assert 100 < due <= counted <= load.made
        await asyncio.to_thread(dora.relay.start)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Another program writes for a long time."""
    with closing(sqlite3.connect(home.database, isolation_level=None, timeout=20)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT")


@contextmanager
def away(home: Home) -> Iterator[None]:
    """The disk is gone."""
    elsewhere: Path = home.folder.rename(home.folder.with_name("elsewhere"))
    yield
    elsewhere.rename(home.folder)


@pytest.mark.parametrize("trouble", [locked, away])
async def test_without_its_database_the_relay_goes_on_and_counts_later(
    dora: Shop, own_home: Home, trouble: Trouble
) -> None:
    await dora.calculator()
    caller = await dora.frontend()
    assert (await Load(caller).run(most=100)).count() == 100
    await until_used(dora, 100)
    load = Load(caller, in_flight=5)
    with trouble(own_home):
        running_load = asyncio.create_task(load.run())
        for _ in range(3):  # s
            made = load.made
            await asyncio.sleep(1)  # the trouble lasts longer than the relay's attempts to write
            assert load.made > made + 100
        load.stop()
        await running_load
    load.assert_one_outcome_each()
    assert load.count() == load.made
    await until_used(dora, 100 + load.made, seconds=10)


async def test_without_its_database_the_relay_asks_new_keys_to_come_back(dora: Shop, own_home: Home) -> None:
    key = dora.office.new_key(dora.id, "public")
    await dora.calculator()
    with away(own_home):
        peer = await dora.socket()
        await peer.send("hello", key=key)
        await peer.assert_closed(1012, reconnect=True)
        answer = await dora.post("/v1/call/calculator:add", key)
        assert (answer.status_code, answer.json()["code"]) == (503, "relay_unavailable")
    async with asyncio.timeout(5):
        while (await dora.post("/v1/call/calculator:add", key, json={"a": 5, "b": 3})).status_code == 503:
            pass
    assert (await (await dora.socket()).hello(key=key)).welcome


async def test_a_killed_worker_folds_nothing_twice(own_home: Home, own_relay: RelayServer, tmp_path: Path) -> None:
    with broker(tmp_path) as url:
        office = Office(own_home, REDIS_URL=url)
        dora = Shop.open(own_relay, office, "Dora")
        try:
            await fold_and_kill(dora, Worker(own_home, url))
        finally:
            await dora.close()
            office.close()


async def fold_and_kill(dora: Shop, worker: Worker) -> None:
    batches, calls = 6_000, 200
    dora.office.ask("add_batches", project=dora.id, workspace=dora.workspace, process="another", number=batches)
    await dora.calculator()
    assert (await Load(await dora.frontend()).run(most=calls)).count() == calls
    await until_used(dora, batches + calls)
    for _ in range(2):
        waiting = dora.office.ask("waiting_batches")
        worker.start()
        dora.office.ask("ask_for_folding")
        try:
            until(lambda before=waiting: dora.office.ask("waiting_batches") < before, "some folding")  # type: ignore[misc]
        finally:
            worker.kill()
        print(f"killed with {dora.office.ask('waiting_batches')} of {waiting} batches to fold")
        assert dora.office.ask("waiting_batches") > 0
        assert dora.office.ask("used", workspace=dora.workspace) == batches + calls
    worker.start()
    try:
        until(lambda: dora.office.ask("waiting_batches") == 0, "all folding")
    finally:
        worker.kill()
    total = batches + calls
    assert dora.office.ask("folded", project=dora.id) == {"UsageHour": total, "UsageMonth": total, "UsageCount": 0}
    assert dora.office.ask("used", workspace=dora.workspace) == total
