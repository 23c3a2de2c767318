"""What the function sees when callers die, cancel, or ask again; and that deadlines and answers make one outcome."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

import httpx

from tests.relay.contract.conftest import until
from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.raw import RawSocket
from tests.relay.harness.shop import Shop, http

MIB = 1_048_576
KEY = {"idempotency_key": "order-17"}
AT_REST = 12_000  # callers after which the allocator's memory grows no more: level from 20,000 on, +1.7 MiB until there


async def test_ten_thousand_killed_callers_leave_nothing_and_their_callees_are_told(alice: Shop) -> None:
    callee = await alice.backend("patient")
    heard: Counter[str] = Counter()
    running: set[str] = set()

    async def hear() -> None:
        while True:
            frame = await callee.receive_some_time()
            heard[frame["type"]] += 1
            (running.add if frame["type"] == "call" else running.remove)(frame["id"])

    hearing = asyncio.create_task(hear())
    await kill_callers(alice, AT_REST)
    await until(lambda: heard["cancel"] == AT_REST, "cancels")
    memory, descriptors = alice.relay.memory(), alice.relay.descriptors()
    await kill_callers(alice, 10_000)
    killed = AT_REST + 10_000
    await until(lambda: heard["cancel"] == killed, "a cancel for each call")
    assert heard == {"call": killed, "cancel": killed}
    assert not running
    assert alice.relay.memory() - memory < 5 * MIB
    await until(lambda: alice.relay.descriptors() <= descriptors + 8, "closed sockets")
    assert await alice.calls() == {"caller_lost": killed}
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing


async def kill_callers(shop: Shop, number: int) -> None:
    """Each has a call under way, and its socket ends without a word; 50 at a time."""
    left = iter(range(number))
    hello, call = {"type": "hello", "key": shop.public}, {"type": "call", "id": "1", "cmd": "patient"}

    async def some() -> None:
        for _ in left:
            caller = await RawSocket.open(shop.relay.port, shop.id, hello, call, {"type": "ping"})
            await caller.until(b'"pong"')
            caller.vanish()

    await asyncio.gather(*(some() for _ in range(50)))


async def test_an_http_caller_that_disconnects_aborts_the_callee(alice: Shop) -> None:
    callee = await alice.backend("patient")
    async with http() as client:
        url, headers = f"{alice.relay.http}/v1/call/patient", {"Authorization": f"Bearer {alice.public}"}
        request = asyncio.create_task(client.post(url, headers=headers))
        call = await callee.assert_received("call")
        request.cancel()
        with suppress(asyncio.CancelledError):
            await request
    left = time.monotonic()
    await callee.assert_received("cancel", id=call["id"])
    assert time.monotonic() - left < 1
    assert await alice.calls() == {"caller_lost": 1}


async def test_an_idempotency_key_over_a_dropped_caller_s_reconnect(alice: Shop) -> None:
    """The function runs once, and one request is counted, whenever the caller comes back."""
    callee = await alice.backend("order")
    ran = []
    for attempt in ("while it runs", "after it ended"):
        session, data = f"session for {attempt}", {"item": attempt}
        caller = await alice.frontend(session=session)
        await caller.send("call", id="1", cmd="order", data=data, **KEY)
        call = await callee.assert_received("call", data=data)
        ran.append(call["id"])
        await caller.vanish()
        if attempt == "after it ended":
            await callee.send("result", id=call["id"], data=attempt)
        back = await alice.frontend(session=session)
        await back.send("call", id="again", cmd="order", data=data, **KEY)
        if attempt == "while it runs":
            await back.assert_silent()
            await callee.send("result", id=call["id"], data=attempt)
        await back.assert_received("result", id="again", data=attempt)
    await callee.assert_silent()
    assert len(ran) == 2
    await until(lambda: alice.office.ask("project_used", id=alice.id) == 2, "two requests counted")


async def test_an_idempotency_key_over_http(alice: Shop) -> None:
    callee = await alice.backend("order")
    headers = {"Authorization": f"Bearer {alice.public}", "Idempotency-Key": "1", "Gluer-Session": "session over HTTP"}
    first, second = (asyncio.create_task(alice.post("/v1/call/order", headers=headers, json=1)) for _ in range(2))
    call = await callee.assert_received("call", data=1)
    await callee.send("result", id=call["id"], data="ordered")
    assert [(await answer).json() for answer in (first, second)] == [{"data": "ordered"}] * 2
    assert (await alice.post("/v1/call/order", headers=headers, json=1)).json() == {"data": "ordered"}
    refused = await alice.post("/v1/call/order", headers=headers, json=2)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_arguments")
    await callee.assert_silent()


# --- one outcome ------------------------------------------------------------------------------------------------------


async def test_the_client_s_and_the_relay_s_deadline_and_the_answer_at_one_instant_make_one_outcome(
    alice: Shop,
) -> None:
    """300 calls, each answered, cancelled by its caller, and past its deadline at about the same time."""
    callee, caller = await alice.backend("slow"), await alice.frontend()
    numbers = range(300)
    async with asyncio.TaskGroup() as tasks:
        answering = tasks.create_task(answer_all(callee, tasks))
        for number in numbers:
            await caller.send("call", id=str(number), cmd="slow", data=number, timeout=400)
            tasks.create_task(cancel_in_time(caller, number))
        outcomes = [await caller.receive() for _ in numbers]
        answering.cancel()
    await caller.assert_silent()
    assert sorted(int(frame["id"]) for frame in outcomes) == list(numbers)
    ends = Counter(frame.get("code", "result") for frame in outcomes)
    assert ends.keys() == {"result", "cancelled", "deadline_exceeded"}
    assert ends == {name: number for name, number in (await alice.calls()).items() if name != "late"}


async def answer_all(callee: Peer, tasks: asyncio.TaskGroup) -> None:
    async def answer(call: Frame) -> None:
        await asyncio.sleep(0.3 + call["data"] % 31 / 150)
        await callee.send("result", id=call["id"], data=call["data"])

    while True:
        frame = await callee.receive_some_time()
        if frame["type"] == "call":
            tasks.create_task(answer(frame))


async def cancel_in_time(caller: Peer, number: int) -> None:
    await asyncio.sleep(0.3 + number % 23 / 110)
    await caller.send("cancel", id=str(number))


async def test_a_deadline_is_kept_within_250_ms(alice: Shop) -> None:
    callee, caller = await alice.backend("never"), await alice.frontend()
    for number, timeout in enumerate((100, 400, 900)):
        began = time.monotonic()
        await caller.send("call", id=str(number), cmd="never", timeout=timeout)
        call = await callee.assert_received("call")
        await caller.assert_received("error", id=str(number), code="deadline_exceeded")
        assert timeout / 1000 <= time.monotonic() - began <= timeout / 1000 + 0.25
        await callee.assert_received("cancel", id=call["id"])


async def test_a_result_that_is_given_twice_late_or_forged_is_dropped_and_counted(alice: Shop) -> None:
    callee, caller = await alice.backend("true"), await alice.frontend()
    forgers = [await alice.backend("true"), await alice.frontend(), caller]
    await caller.send("call", id="1", cmd="true")
    call = await callee.assert_received("call")
    for forger in forgers:
        for kind in ("result", "progress", "error"):
            await forger.send(kind, id=call["id"], data="forged")
        await forger.assert_silent()
    for data in ("the true one", "twice"):
        await callee.send("result", id=call["id"], data=data)
    await caller.assert_received("result", id="1", data="the true one")

    await caller.send("call", id="2", cmd="true", timeout=100)
    call = await next_call(callee, forgers[0])
    await caller.assert_received("error", id="2", code="deadline_exceeded")
    for each in (callee, forgers[0]):
        await each.send("result", id=call["id"], data="late")
        await each.send("ping")
    await caller.assert_silent()
    assert await alice.calls() == {"forged": 9, "late": 3, "result": 1, "deadline_exceeded": 1}


async def next_call(*servers: Peer) -> Frame:
    """Of whichever gets it."""
    first = [asyncio.ensure_future(server.receive_some_time()) for server in servers]
    done, waiting = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return done.pop().result()


async def test_a_slow_call_does_not_delay_the_next_on_the_same_socket(alice: Shop) -> None:
    callee, caller = await alice.backend("slow", "fast"), await alice.frontend()
    await caller.send("call", id="slow", cmd="slow")
    slow = await callee.assert_received("call", cmd="slow")
    began = time.monotonic()
    for number in range(100):
        await caller.send("call", id=str(number), cmd="fast")
        call = await callee.assert_received("call", cmd="fast")
        await callee.send("result", id=call["id"])
        await caller.assert_received("result", id=str(number))
    assert time.monotonic() - began < 5
    await callee.send("result", id=slow["id"])
    await caller.assert_received("result", id="slow")


async def test_a_back_end_calls_a_front_end_and_hears_when_it_is_gone(alice: Shop) -> None:
    server, page = await alice.backend("a"), await alice.frontend(session="session of a page")
    await server.send("call", id="1", cmd="show", data=1, to={"session": "session of a page"})
    header = {"connection": server.welcome["connection"], "peer": "backend"}
    call = await page.assert_received("call", cmd="show", data=1, header=header)
    await page.send("progress", id=call["id"], data="half")
    await page.send("result", id=call["id"], data="shown")
    await server.assert_received("progress", id="1", data="half")
    await server.assert_received("result", id="1", data="shown")
    await server.send("call", id="2", cmd="show", to={"connection": page.welcome["connection"]})
    await page.assert_received("call")
    await page.vanish()
    await server.assert_received("error", id="2", code="callee_lost")


# --- strangers --------------------------------------------------------------------------------------------------------


async def test_two_projects_with_the_same_names_sessions_and_ids_never_meet(alice: Shop, charlie: Shop) -> None:
    session = "the same session in both"
    servers = {shop.id: await shop.backend("calculator:add") for shop in (alice, charlie)}
    pages = {shop.id: await shop.frontend(session=session) for shop in (alice, charlie)}
    for shop in (alice, charlie):
        await pages[shop.id].subscribe("news")
        await pages[shop.id].send("call", id="1", cmd="calculator:add", data=shop.id, **KEY)
    calls = {shop.id: await servers[shop.id].assert_received("call", data=shop.id) for shop in (alice, charlie)}
    assert calls[alice.id]["id"] == calls[charlie.id]["id"]
    for shop in (alice, charlie):
        await servers[shop.id].send("publish", channel="news", data=shop.id)
        await servers[shop.id].send("send", cmd="show", data=shop.id, to={"session": session})
        await servers[shop.id].send("result", id=calls[shop.id]["id"], data=shop.id)
    for shop in (alice, charlie):
        await pages[shop.id].assert_received("message", channel="news", data=shop.id)
        await pages[shop.id].assert_received("send", cmd="show", data=shop.id)
        await pages[shop.id].assert_received("result", id="1", data=shop.id)
        await pages[shop.id].assert_silent()
        await servers[shop.id].assert_silent()


async def test_not_yours_and_not_there_look_the_same(alice: Shop, charlie: Shop) -> None:
    """To Charlie, whatever is Alice's."""
    await alice.backend("hers:alone")
    page = await alice.frontend(session="session of Alice's page")
    caller, server = await charlie.frontend(), await charlie.backend()
    hers = await caller.call("hers:alone"), await caller.call("not:there")
    assert without_names(hers[0]) == without_names(hers[1])
    for hers_not_there in (
        ({"session": "session of Alice's page"}, {"session": "session of nobody at all"}),
        ({"connection": page.welcome["connection"]}, {"connection": "nobody"}),
    ):
        told = [await server.call("show", to=to) for to in hers_not_there]
        assert told[0] == told[1]
        assert told[0]["code"] == "no_such_peer"
    answers = [await charlie.post(f"/v1/call/{cmd}") for cmd in ("hers:alone", "not:there")]
    assert same(answers[0]) == same(answers[1])
    await page.assert_silent()


def without_names(frame: Frame) -> Frame:
    return {name: str(value).replace("hers:alone", "…").replace("not:there", "…") for name, value in frame.items()}


def same(answer: httpx.Response) -> tuple[int, Frame]:
    return answer.status_code, without_names(answer.json())
