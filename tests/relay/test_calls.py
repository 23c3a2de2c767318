"""Section 3 of the protocol, over real servers."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.shop import Shop

End = Callable[[Peer], Awaitable[None]]
ERRORS = [
    ({"code": "app_error", "message": "No."}, {"code": "app_error", "message": "No.", "retryable": False}),
    ({"code": "rejected", "message": "Not you."}, {"code": "rejected", "message": "Not you."}),
    ({"code": "invalid_arguments", "data": {"a": 1}}, {"code": "invalid_arguments", "data": {"a": 1}}),
    ({"code": "unauthorized", "message": "I lie."}, {"code": "app_error", "message": "I lie."}),
    ({}, {"code": "app_error"}),
    ({"message": "ä" * 200}, {"message": "ä" * 128}),
]


async def answer(callee: Peer, data: Any = None, **fields: Any) -> Frame:
    """Answer the next call; returns it."""
    call = await callee.assert_received("call")
    await callee.send("result", id=call["id"], data=data, **fields)
    return call


async def test_a_call_is_answered(alice: Shop) -> None:
    await alice.calculator()
    caller = await alice.frontend()
    assert await caller.call("calculator:add", {"a": 5, "b": 3}) == {
        "type": "result", "id": "1", "data": {"result": 8},
    }  # fmt: skip


async def test_data_passes_as_it_is_written(alice: Shop) -> None:
    callee, caller = await alice.backend("echo"), await alice.frontend()
    data = '{"n": 12345678901234567890.10, "z":1e400,"dup":1, "dup":2, "text":"\\u00e4ö\\/"}'
    await caller.send_raw(f'{{"type":"call","id":"1","cmd":"echo","data":{data}}}')
    frame = await callee.socket.recv()
    assert isinstance(frame, str)
    assert f'"data":{data},' in frame


async def test_a_result_may_have_a_named_outcome(alice: Shop) -> None:
    callee, caller = await alice.backend("users.create"), await alice.frontend()
    await caller.send("call", id="1", cmd="users.create")
    await answer(callee, {"id": 7}, outcome="users.created")
    await caller.assert_received("result", id="1", data={"id": 7}, outcome="users.created")


async def test_progress_comes_in_order_before_the_outcome(alice: Shop) -> None:
    callee, caller = await alice.backend("report"), await alice.frontend()
    await caller.send("call", id="1", cmd="report")
    call = await callee.assert_received("call")
    for percent in range(50):
        await callee.send("progress", id=call["id"], data=percent)
    await callee.send("result", id=call["id"])
    await callee.send("progress", id=call["id"], data="too late")
    for percent in range(50):
        await caller.assert_received("progress", id="1", data=percent)
    await caller.assert_received("result", id="1", data=None)
    await callee.assert_silent()
    await caller.assert_silent()


@pytest.mark.parametrize(("sent", "received"), ERRORS)
async def test_a_functions_error_reaches_the_caller(alice: Shop, sent: Frame, received: Frame) -> None:
    callee, caller = await alice.backend("fails"), await alice.frontend()
    await caller.send("call", id="1", cmd="fails")
    call = await callee.assert_received("call")
    await callee.send("error", id=call["id"], **sent)
    await caller.assert_received("error", id="1", **received)


async def test_nobody_registered_the_function(alice: Shop) -> None:
    caller = await alice.frontend()
    outcome = await caller.call("calculator:add")
    assert outcome["code"] == "no_such_function"
    assert "calculator:add" in outcome["message"]


async def test_a_cancelled_call_ends_at_once_and_its_callee_hears_it(alice: Shop) -> None:
    callee, caller = await alice.backend("slow"), await alice.frontend()
    await caller.send("call", id="1", cmd="slow")
    call = await callee.assert_received("call")
    await caller.send("cancel", id="1")
    await caller.assert_received("error", id="1", code="cancelled", retryable=False)
    await callee.assert_received("cancel", id=call["id"])
    await callee.send("result", id=call["id"], data="too late")
    await callee.assert_silent()
    await caller.assert_silent()


async def test_cancelling_what_has_ended_does_nothing(alice: Shop) -> None:
    await alice.calculator()
    caller = await alice.frontend()
    await caller.call("calculator:add", {"a": 1, "b": 1})
    await caller.send("cancel", id="1")
    await caller.assert_silent()


async def test_a_deadline_ends_the_call_for_both(alice: Shop) -> None:
    callee, caller = await alice.backend("slow"), await alice.frontend()
    began = time.monotonic()
    await caller.send("call", id="1", cmd="slow", timeout=300)
    call = await callee.assert_received("call", timeout=300)
    await caller.assert_received("error", id="1", code="deadline_exceeded", retryable=True)
    assert 0.3 <= time.monotonic() - began < 0.55  # GP-10: the deadline plus 250 ms
    await callee.assert_received("cancel", id=call["id"])
    await callee.send("result", id=call["id"], data="too late")
    await callee.assert_silent()
    await caller.assert_silent()


async def test_a_longer_deadline_is_cut_to_the_limit(alice: Shop) -> None:
    callee, caller = await alice.backend("slow"), await alice.frontend()
    await caller.send("call", id="1", cmd="slow", timeout=10**12)
    await callee.assert_received("call", timeout=caller.welcome["limits"]["timeout"])
    await caller.send("call", id="2", cmd="slow")
    await callee.assert_received("call", timeout=30_000)


async def test_an_id_can_be_used_again_after_its_outcome(alice: Shop) -> None:
    await alice.calculator()
    caller = await alice.frontend()
    for number in range(3):
        outcome = await caller.call("calculator:add", {"a": number, "b": 1}, id="same")
        assert outcome["data"] == {"result": number + 1}


@pytest.mark.parametrize("end", [Peer.close, Peer.vanish])
async def test_a_callee_that_goes_loses_its_calls_at_once(alice: Shop, end: End) -> None:
    callee, caller = await alice.backend("slow"), await alice.frontend()
    for number in range(3):
        await caller.send("call", id=str(number), cmd="slow")
        await callee.assert_received("call")
    began = time.monotonic()
    await end(callee)
    for number in range(3):
        await caller.assert_received("error", id=str(number), code="callee_lost", retryable=True)
    assert time.monotonic() - began < 1
    assert (await caller.call("slow", timeout=1))["code"] == "no_server_online"
    await caller.assert_silent()


@pytest.mark.parametrize("end", [Peer.close, Peer.vanish])
async def test_a_caller_that_goes_has_its_calls_cancelled(alice: Shop, end: End) -> None:
    callee, caller = await alice.backend("slow"), await alice.frontend()
    for number in range(3):
        await caller.send("call", id=str(number), cmd="slow")
    ids = {(await callee.assert_received("call"))["id"] for _ in range(3)}
    await end(caller)
    assert {(await callee.assert_received("cancel"))["id"] for _ in range(3)} == ids
    for call_id in ids:
        await callee.send("result", id=call_id, data="too late")
    await callee.assert_silent()


async def test_calls_of_one_caller_arrive_in_order(alice: Shop) -> None:
    callee, caller = await alice.backend("count"), await alice.frontend()
    for number in range(200):
        await caller.send("call", id=str(number), cmd="count", data=number)
    for number in range(200):
        await callee.assert_received("call", data=number)


async def test_a_slow_call_does_not_hold_up_the_next(alice: Shop) -> None:
    callee, caller = await alice.backend("both"), await alice.frontend()
    await caller.send("call", id="slow", cmd="both")
    slow = await callee.assert_received("call")
    await caller.send("call", id="quick", cmd="both")
    await answer(callee, "quick")
    await caller.assert_received("result", id="quick", data="quick")
    await callee.send("result", id=slow["id"], data="slow")
    await caller.assert_received("result", id="slow", data="slow")


async def test_the_server_with_the_least_calls_gets_the_next(alice: Shop) -> None:
    busy, free, caller = await alice.backend("work"), await alice.backend("work"), await alice.frontend()
    for number in range(2):
        await caller.send("call", id=str(number), cmd="work")
    await busy.assert_received("call")
    for number in range(2, 5):  # `free` answers each time, `busy` never
        await answer(free, number)
        await caller.assert_received("result")
        await caller.send("call", id=str(number), cmd="work")
    await free.assert_received("call")
    await busy.assert_silent()


async def test_servers_with_equally_many_calls_take_turns(alice: Shop) -> None:
    servers = [await alice.backend("work") for _ in range(3)]
    caller = await alice.frontend()
    took = []
    for number in range(9):
        await caller.send("call", id=str(number), cmd="work")
        took.append(number % 3)
        await answer(servers[number % 3], number)  # fails if the call went to another one
        await caller.assert_received("result", data=number)
    assert took == [0, 1, 2] * 3


async def test_the_header_says_who_calls(alice: Shop) -> None:
    callee = await alice.backend("who")
    caller = await alice.frontend(origin="https://shop.example", session="s" * 16)
    await caller.send("call", id="1", cmd="who")
    header = (await callee.assert_received("call"))["header"]
    assert header == {
        "session": "s" * 16,
        "connection": caller.welcome["connection"],
        "peer": "frontend",
        "ip": "127.0.0.1",
        "transport": "ws",
        "connected_at": header["connected_at"],
        "origin": "https://shop.example",
    }


async def test_a_caller_cannot_forge_its_header(alice: Shop) -> None:
    callee, caller = await alice.backend("who"), await alice.frontend()
    forged = {"session": "somebody else's", "peer": "backend", "user": {"admin": True}}
    await caller.send(
        "call", id="1", cmd="who", header=forged, session="other", peer="backend", data={"header": forged}
    )
    call = await callee.assert_received("call", data={"header": forged})
    assert call["header"]["session"] == caller.welcome["session"]
    assert call["header"]["peer"] == "frontend"
    assert "user" not in call["header"]


async def test_a_back_end_calls_too(alice: Shop) -> None:
    await alice.calculator()
    caller = await alice.backend()
    assert (await caller.call("calculator:add", {"a": 1, "b": 2}))["data"] == {"result": 3}


async def test_a_send_has_no_answer(alice: Shop) -> None:
    callee, caller = await alice.backend("log"), await alice.frontend()
    await caller.send("send", cmd="log", data={"line": 1})
    sent = await callee.assert_received("send", cmd="log", data={"line": 1})
    assert sent["header"]["connection"] == caller.welcome["connection"]
    assert "id" not in sent
    await caller.assert_silent()


async def test_a_refused_send_is_noticed(alice: Shop) -> None:
    caller = await alice.frontend()
    await caller.send("send", cmd="nobody", data=1)
    await caller.assert_received("notice", code="no_such_function", about="nobody")


async def test_an_unregistered_function_is_gone_but_its_calls_go_on(alice: Shop) -> None:
    callee, caller = await alice.backend("a", "b"), await alice.frontend()
    await caller.send("call", id="begun", cmd="a")
    begun = await callee.assert_received("call")
    await callee.send("unregister", id="u", functions=[{"name": "a"}])
    await callee.assert_received("result", id="u", data={})
    assert (await caller.call("a"))["code"] == "no_such_function"
    await callee.send("result", id=begun["id"], data="done")
    await caller.assert_received("result", id="begun", data="done")
    await caller.send("call", id="2", cmd="b")
    await callee.assert_received("call", cmd="b")


async def test_registering_again_changes_nothing(alice: Shop) -> None:
    callee, caller = await alice.backend("a"), await alice.frontend()
    await callee.register("a", "b", "a")
    await caller.send("call", id="1", cmd="a")
    await callee.assert_received("call", cmd="a")
    await callee.assert_silent()


async def test_frames_right_behind_the_hello_are_handled_in_order(alice: Shop) -> None:
    server, caller = await alice.socket(), await alice.socket()
    functions = [{"name": "f"}]
    server.send_at_once(
        {"type": "hello", "key": alice.private}, {"type": "register", "id": "r", "functions": functions}
    )
    await server.assert_received("welcome", peer="backend")
    await server.assert_received("result", id="r")
    calls = [{"type": "call", "id": str(number), "cmd": "f", "data": number} for number in range(60)]
    caller.send_at_once({"type": "hello", "key": alice.public}, *calls)
    await caller.assert_received("welcome", peer="frontend")
    for number in range(60):
        await server.assert_received("call", data=number)


async def test_the_welcome_says_what_the_relay_allows(alice: Shop) -> None:
    front, back = await alice.frontend(), await alice.backend()
    limits = {"frame": 1_048_576, "timeout": 300_000, "in_flight": 1_000, "rate": 1_000}
    assert (front.welcome["peer"], front.welcome["ping"], front.welcome["limits"]) == ("frontend", 25, limits)
    assert (back.welcome["peer"], back.welcome["ping"], back.welcome["limits"]) == ("backend", 10, limits)
    assert front.welcome["connection"] != back.welcome["connection"]


async def test_a_session_lives_across_connections(alice: Shop) -> None:
    first = await alice.frontend()
    session = first.welcome["session"]
    assert len(session) >= 16
    second = await alice.frontend(session=session)
    assert second.welcome["session"] == session
    assert second.welcome["connection"] != first.welcome["connection"]
    await alice.calculator()
    for peer in (first, second):
        assert (await peer.call("calculator:add", {"a": 1, "b": 1}))["data"] == {"result": 2}


async def test_a_frame_of_exactly_the_limit_passes(alice: Shop) -> None:
    callee, caller = await alice.backend("big"), await alice.frontend()
    head, tail = '{"type":"call","id":"1","cmd":"big","data":"', '"}'
    data = "x" * (1_048_576 - len(head) - len(tail))
    await caller.send_raw(head + data + tail)
    await callee.assert_received("call", data=data)


async def test_a_result_too_large_for_its_caller_tells_both(alice: Shop) -> None:
    callee, caller = await alice.backend("big"), await alice.frontend()
    for size in (1_048_576 - 60, 1_048_576 + 100):  # too large only with the caller's long id; too large itself
        await caller.send("call", id="i" * 64, cmd="big")
        call = await callee.assert_received("call")
        await callee.send("result", id=call["id"], data="x" * size)
        await caller.assert_received("error", id="i" * 64, code="payload_too_large", retryable=False)
        await callee.assert_received("notice", code="payload_too_large", about="big")
    await callee.assert_silent()


async def test_charlies_functions_are_his_own(alice: Shop, charlie: Shop) -> None:
    strangers = await charlie.backend("calculator:add")
    await alice.calculator()
    for shop in (alice, alice, alice):
        caller = await shop.frontend()
        assert (await caller.call("calculator:add", {"a": 5, "b": 3}))["data"] == {"result": 8}
    await strangers.assert_silent()


async def test_charlie_cannot_call_what_only_alice_has(alice: Shop, charlie: Shop) -> None:
    server = await alice.backend("secret")
    caller = await charlie.frontend()
    assert (await caller.call("secret"))["code"] == "no_such_function"
    await server.assert_silent()
