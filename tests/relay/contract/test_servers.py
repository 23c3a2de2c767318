"""What callers are told when servers die, stand still, are cut off, or are replaced."""

import asyncio
import time
from typing import Any

import pytest

from tests.relay.contract.conftest import Start, assert_ran_at_most_once, log_of, until
from tests.relay.harness.killable import KillablePeer
from tests.relay.harness.load import Load
from tests.relay.harness.peer import Peer, open_socket
from tests.relay.harness.proxy import Proxy
from tests.relay.harness.shop import Shop

ONCE, TWICE = "once:add", "twice:add"
FUNCTIONS: dict[str, Any] = {ONCE: {}, TWICE: {"idempotent": True}}
LATENESS = 0.25  # s (GP-10)


async def ready(*servers: KillablePeer) -> None:
    for server in servers:
        await asyncio.to_thread(server.ready)


async def test_kill_9_of_the_callee_in_the_middle_of_a_call(alice: Shop, start: Start) -> None:
    server = start(FUNCTIONS, milliseconds=60_000)
    await ready(server)
    caller = await alice.frontend()
    await caller.send("call", id="1", cmd=ONCE, data={"a": 1})
    await until(lambda: log_of([server], "began", ONCE), "the call")
    server.kill()
    killed = time.monotonic()
    await caller.assert_received("error", id="1", code="callee_lost", retryable=True)
    assert time.monotonic() - killed < 1
    await caller.assert_silent()
    assert log_of([server], "began", ONCE) == {"1": 1}


async def test_a_call_that_may_run_twice_survives_the_kill_of_its_callee(alice: Shop, start: Start) -> None:
    doomed = start(FUNCTIONS, milliseconds=60_000)
    await ready(doomed)
    caller = await alice.frontend()
    await caller.send("call", id="1", cmd=TWICE, data={"a": 1})
    await until(lambda: log_of([doomed], "began", TWICE), "the call")
    other = start(FUNCTIONS)
    await ready(other)
    doomed.kill()
    await caller.assert_received("result", id="1", data={"result": 1})
    assert log_of([doomed, other], "finished", TWICE) == {"1": 1}


# --- standing still ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comes_back", [True, False], ids=["and comes back", "for good"])
async def test_one_of_three_servers_stands_still_under_load(alice: Shop, start: Start, comes_back: bool) -> None:
    servers = [start(FUNCTIONS) for _ in range(3)]
    await ready(*servers)
    once, twice = [Load(await alice.frontend(), cmd, in_flight=15) for cmd in (ONCE, TWICE)]
    running = [asyncio.create_task(load.run()) for load in (once, twice)]
    await until(lambda: once.count() > 300 and twice.count() > 300, "calls before")

    frozen = servers[0]
    frozen.freeze()
    stopped = time.monotonic()
    await until(lambda: time.monotonic() > stopped + (4 if comes_back else 8), "time to pass")
    if comes_back:
        frozen.go_on()
        before = len(frozen.lines())
        await until(lambda: len(frozen.lines()) > before + 200, "new calls to the one that is back")
    once.stop()
    twice.stop()
    await asyncio.gather(*running)
    if not comes_back:
        assert len(await alice.servers()) == 2
        frozen.go_on()  # it runs what it had been given before it learns that it was sent away
        await until(lambda: frozen.process.poll() is not None, "its end")

    for load in (once, twice):
        load.assert_one_outcome_each()
        assert load.made == load.count("result") + load.count("callee_lost")
    assert twice.count("callee_lost") == 0
    assert twice.longest() <= 2.5
    assert (once.count("callee_lost") == 0) == comes_back
    assert once.count("callee_lost", before=stopped + 7.5) == once.count("callee_lost")
    assert_nothing_new_went_to(frozen, stopped, {ONCE: once, TWICE: twice}, until=stopped + (4 if comes_back else 99))
    assert_ran_at_most_once(servers, ONCE)
    finished = log_of(servers, "finished", ONCE)
    assert {number for number, notes in once.outcomes.items() if notes[0][0] == "result"} <= finished.keys()


def assert_nothing_new_went_to(frozen: KillablePeer, stopped: float, loads: dict[str, Load], until: float) -> None:
    """Of the calls made later than 2 s after it stood still, and before it came back, it began none."""
    for cmd, load in loads.items():
        begun = [load.began[number] for number in log_of([frozen], "began", cmd)]
        assert not [when for when in begun if stopped + 2 + LATENESS < when < until]


async def test_its_network_is_cut_without_a_word(alice: Shop, start: Start) -> None:
    options = {"idempotent": True, "policy": "first"}
    async with Proxy(alice.relay.port) as network:
        cut = Peer(await open_socket(network.url(alice.id)))
        alice.peers.append(cut)
        await (await cut.hello(key=alice.private, name="cut off")).register(ONCE)
        await cut.offer(TWICE, **options)
        await ready(start({TWICE: options}))
        caller = await alice.frontend()
        await caller.send("call", id="1", cmd=ONCE, data={"a": 1})
        await cut.assert_received("call", cmd=ONCE)
        network.cut()
        began = time.monotonic()
        await caller.send("call", id="2", cmd=TWICE, data={"a": 2})
        await caller.assert_received("result", id="2", data={"result": 2})
        assert time.monotonic() - began <= 2.5
        await caller.assert_received("error", id="1", code="callee_lost")
        assert time.monotonic() - began <= 7.5
        assert (await alice.calls())["rerouted"] == 1
        assert "cut off" not in [server["name"] for server in await alice.servers()]


async def test_a_healthy_function_that_waits_for_five_seconds_is_never_suspected(alice: Shop, start: Start) -> None:
    server = start(FUNCTIONS, milliseconds=5_000)
    await ready(server)
    caller = await alice.frontend()
    assert (await caller.call(ONCE, {"a": 1}))["type"] == "result"
    assert await alice.calls() == {"result": 1}


# --- restarts ---------------------------------------------------------------------------------------------------------


async def test_a_rolling_restart_of_two_servers_under_load_fails_no_call(alice: Shop, start: Start) -> None:
    servers = [start(FUNCTIONS, milliseconds=20) for _ in range(2)]
    await ready(*servers)
    loads = [Load(await alice.frontend(), ONCE, in_flight=20) for _ in range(2)]
    running = [asyncio.create_task(load.run()) for load in loads]
    for old in servers[:2]:
        done = sum(load.count() for load in loads)
        await until(lambda done=done: sum(load.count() for load in loads) > done + 300, "calls between")  # type: ignore[misc]
        assert await asyncio.to_thread(old.stop) == 0
        servers.append(start(FUNCTIONS, milliseconds=20))
        await ready(servers[-1])
    for load in loads:
        load.stop()
    await asyncio.gather(*running)
    for load in loads:
        load.assert_one_outcome_each()
        assert load.count("result") == load.made
    began, finished = (sum(log_of(servers, word, ONCE).values()) for word in ("began", "finished"))
    assert began == finished == sum(load.made for load in loads)


async def test_the_only_server_restarts_under_load_and_fails_no_call(alice: Shop, start: Start) -> None:
    """Calls are held between the two."""
    servers = [start(FUNCTIONS)]
    await ready(*servers)
    load = Load(await alice.frontend(), ONCE, in_flight=20)
    running = asyncio.create_task(load.run())
    await until(lambda: load.count() > 300, "calls before")
    assert await asyncio.to_thread(servers[0].stop) == 0
    servers.append(start(FUNCTIONS))
    done = load.count()
    await until(lambda: load.count() > done + 300, "calls after")
    load.stop()
    await running
    load.assert_one_outcome_each()
    assert load.count("result") == load.made
    assert sum(log_of(servers, "began", ONCE).values()) == load.made


async def test_calls_are_held_while_the_only_server_is_gone_for_three_seconds(alice: Shop) -> None:
    server, caller = await alice.backend(ONCE), await alice.frontend()
    await server.vanish()
    await until_gone(alice)
    gone = time.monotonic()
    for number in range(100):
        await caller.send("call", id=str(number), cmd=ONCE, data=number)
    await until(lambda: time.monotonic() > gone + 3, "three seconds")
    await caller.assert_silent()
    back = await alice.backend(ONCE)
    for number in range(100):
        call = await back.assert_received("call", data=number)
        await back.send("result", id=call["id"], data=number)
        await caller.assert_received("result", id=str(number), data=number)
    assert await alice.calls() == {"result": 100, "held": 100}


async def test_the_only_server_is_gone_for_good(alice: Shop) -> None:
    server, caller = await alice.backend(ONCE), await alice.frontend()
    await server.vanish()
    await until_gone(alice)
    began = time.monotonic()
    await caller.send("call", id="1", cmd=ONCE)
    await caller.assert_received("error", id="1", code="no_server_online", retryable=True)
    assert 4.9 <= time.monotonic() - began <= 5 + LATENESS


async def until_gone(shop: Shop) -> None:
    async with asyncio.timeout(10):
        while await shop.servers():
            pass
