"""The bus over HTTP (section 6 of the protocol), over real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.relay.harness.peer import Frame
from tests.relay.harness.shop import Shop, http

LIMIT = 1_048_576  # bytes of a body
PAGE = "https://shop.example"


def assert_problem(answer: httpx.Response, status: int, code: str, **fields: Any) -> None:
    """RFC 9457, with the outcome's code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem == {**problem, "status": status, "code": code, **fields}
    assert {"type", "title", "detail", "message", "retryable"} <= problem.keys()
    assert problem["detail"]


async def test_a_call_is_answered(alice: Shop) -> None:
    await alice.calculator()
    answer = await alice.post("/v1/call/calculator:add", json={"a": 5, "b": 3})
    assert (answer.status_code, answer.json()) == (200, {"data": {"result": 8}})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_named_outcome_is_told(alice: Shop) -> None:
    callee = await alice.backend("users.create")
    callee.serve(created)
    answer = await alice.post("/v1/call/users.create", json={})
    assert answer.json() == {"data": 7, "outcome": "users.created"}


async def test_a_body_may_be_empty(alice: Shop) -> None:
    callee = await alice.backend("ping")
    callee.serve(echo)
    assert (await alice.post("/v1/call/ping")).json() == {"data": None}


async def test_the_header_says_that_it_is_http(alice: Shop) -> None:
    callee = await alice.backend("who")
    callee.serve(header_of)
    answer = await alice.post("/v1/call/who", headers={"Gluer-Session": "s" * 16, "Origin": PAGE})
    header = answer.json()["data"]
    assert header == {
        **header,
        "session": "s" * 16,
        "peer": "frontend",
        "transport": "http",
        "ip": "127.0.0.1",
        "origin": PAGE,
    }


async def test_a_back_end_calls_over_http(alice: Shop) -> None:
    callee = await alice.backend("who")
    callee.serve(header_of)
    answer = await alice.post("/v1/call/who", alice.private)
    assert answer.json()["data"]["peer"] == "backend"


async def test_a_send_is_accepted(alice: Shop) -> None:
    callee = await alice.backend("log")
    answer = await alice.post("/v1/send/log", json={"line": 1})
    assert (answer.status_code, answer.json()) == (202, {})
    await callee.assert_received("send", cmd="log", data={"line": 1})


async def test_a_publish_reaches_subscribers(alice: Shop, charlie: Shop) -> None:
    subscriber, stranger = await alice.frontend(), await charlie.frontend()
    for peer in (subscriber, stranger):
        await peer.subscribe("news")
    answer = await alice.post("/v1/publish/news", alice.private, json={"n": 1})
    assert (answer.status_code, answer.json()) == (200, {"receivers": 1})
    await subscriber.assert_received("message", channel="news", data={"n": 1})
    await stranger.assert_silent()


async def test_charlies_functions_are_not_alices(alice: Shop, charlie: Shop) -> None:
    server = await charlie.backend("calculator:add")
    assert_problem(await alice.post("/v1/call/calculator:add", json={}), 404, "no_such_function")
    await server.assert_silent()


@pytest.mark.parametrize(
    ("path", "request_", "status", "code"),
    [
        ("/v1/call/nobody", {}, 404, "no_such_function"),
        ("/v1/send/nobody", {}, 404, "no_such_function"),
        ("/v1/publish/news", {}, 403, "forbidden"),
        ("/v1/publish/$gluer", {"key": "private"}, 403, "forbidden"),
        ("/v1/call/" + "x" * 129, {}, 400, "bad_frame"),
        ("/v1/call/a%0Ab", {}, 400, "bad_frame"),
        ("/v1/call/f", {"content": b"{"}, 400, "bad_frame"),
        ("/v1/call/f", {"content": b"\xff"}, 400, "bad_frame"),
        ("/v1/call/f", {"content": b'"\\ud800"'}, 400, "bad_frame"),
        ("/v1/call/f", {"content": b"[" * 129 + b"]" * 129}, 400, "bad_frame"),
        ("/v1/call/f", {"content": b"[" * 100_000}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Gluer-Timeout": "soon"}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Gluer-Timeout": "0"}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Gluer-Timeout": "-5"}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Gluer-Session": "short"}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Gluer-Session": ""}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Idempotency-Key": "k" * 257}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Idempotency-Key": "order-17"}}, 400, "bad_frame"),
        ("/v1/call/f", {"headers": {"Authorization": ""}}, 401, "unauthorized"),
        ("/v1/call/f", {"headers": {"Authorization": "Basic YTpi"}}, 401, "unauthorized"),
        ("/v1/call/f", {"headers": {"Authorization": "Bearer letmein"}}, 401, "unauthorized"),
        ("/v1/call/f", {"key": "private", "headers": {"Origin": PAGE}}, 403, "forbidden"),
    ],
)
async def test_what_is_refused(alice: Shop, path: str, request_: dict[str, Any], status: int, code: str) -> None:
    await alice.backend("f")
    answer = await alice.post(path, **request_ | {"key": getattr(alice, request_.get("key", "public"))})
    assert_problem(answer, status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"code": "app_error", "message": "No."}, 422, "app_error"),
        ({"code": "rejected", "message": "No."}, 403, "rejected"),
        ({"code": "invalid_arguments", "message": "No."}, 422, "invalid_arguments"),
    ],
)
async def test_a_functions_error_has_its_status(alice: Shop, sent: Frame, status: int, code: str) -> None:
    async def fail(call: Frame) -> Frame:
        return {"type": "error", "data": {"why": 1}, **sent}

    (await alice.backend("fails")).serve(fail)
    answer = await alice.post("/v1/call/fails")
    assert_problem(answer, status, code, message="No.", data={"why": 1}, retryable=False)


async def test_a_deadline_ends_the_call(alice: Shop) -> None:
    callee = await alice.backend("slow")
    answer = await alice.post("/v1/call/slow", headers={"Gluer-Timeout": "200"})
    assert_problem(answer, 504, "deadline_exceeded", retryable=True)
    call = await callee.assert_received("call")
    assert 0 < call["timeout"] <= 200  # what the look-up of its key took is over
    await callee.assert_received("cancel", id=call["id"])


async def test_a_callee_that_goes_loses_the_call(alice: Shop) -> None:
    callee = await alice.backend("slow")
    posted = asyncio.create_task(alice.post("/v1/call/slow"))
    await callee.assert_received("call")
    await callee.close()
    assert_problem(await posted, 502, "callee_lost", retryable=True)


async def test_a_caller_that_disconnects_has_its_call_cancelled(alice: Shop) -> None:
    callee = await alice.backend("slow")
    _, writer = await asyncio.open_connection("127.0.0.1", alice.relay.port)
    head = f"POST /v1/call/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alice.public}\r\n"
    writer.write(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
    call = await callee.assert_received("call", data={})
    writer.close()
    await writer.wait_closed()
    await callee.assert_received("cancel", id=call["id"])
    await callee.send("result", id=call["id"], data="too late")
    await callee.assert_silent()


async def test_a_password_is_asked_for(alice: Shop) -> None:
    alice.office.ask("change_project", id=alice.id, require_password=True)
    for password, status in ((None, 401), ("guess", 401), (alice.password, 200)):
        headers = {} if password is None else {"Gluer-Password": password}
        answer = await alice.post("/v1/publish/news", alice.private, json=1, headers=headers)
        assert answer.status_code == status


# --- size ------------------------------------------------------------------------------------------------------------


async def test_a_body_of_exactly_the_limit_passes(alice: Shop) -> None:
    (await alice.backend("size")).serve(size_of)
    answer = await alice.post("/v1/call/size", content=json.dumps("x" * (LIMIT - 2)))
    assert answer.json() == {"data": LIMIT - 2}


async def test_a_body_too_large_is_refused(alice: Shop) -> None:
    await alice.backend("size")
    answer = await alice.post("/v1/call/size", content=json.dumps("x" * (LIMIT - 1)))
    assert_problem(answer, 413, "payload_too_large", data={"limit": LIMIT})


async def test_a_body_too_large_without_its_length_is_refused(alice: Shop) -> None:
    await alice.backend("size")
    answer = await alice.post("/v1/call/size", content=pieces(LIMIT // 65_536 + 1))
    assert_problem(answer, 413, "payload_too_large", data={"limit": LIMIT})


async def test_a_body_in_pieces_is_one_body(alice: Shop) -> None:
    (await alice.backend("size")).serve(size_of)
    assert (await alice.post("/v1/call/size", content=pieces(3))).json() == {"data": 3 * 65_536 - 2}


@pytest.mark.parametrize("verb", ["call", "send"])
@pytest.mark.parametrize("body", [b"{", b"x" * 2 * LIMIT])
async def test_a_body_for_an_unknown_function_is_not_even_parsed(alice: Shop, verb: str, body: bytes) -> None:
    answer = await alice.post(f"/v1/{verb}/nobody", content=body)
    assert_problem(answer, 404, "no_such_function")


# --- methods and CORS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post(alice: Shop, method: str) -> None:
    async with http() as client:
        answer = await client.request(method, f"{alice.relay.http}/v1/call/x")
    assert_problem(answer, 405, "bad_frame")
    assert answer.headers["allow"] == "POST, OPTIONS"


async def test_a_page_may_ask(alice: Shop) -> None:
    asked = "authorization,content-type,gluer-session,gluer-timeout,gluer-password,gluer-token,idempotency-key"
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    async with http() as client:
        answer = await client.options(f"{alice.relay.http}/v1/call/x", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert set(asked.split(",")) <= set(answer.headers["access-control-allow-headers"].lower().split(", "))


async def test_a_page_reads_the_answer_and_the_errors(alice: Shop) -> None:
    await alice.calculator()
    for name in ("calculator:add", "nobody"):
        answer = await alice.post(f"/v1/call/{name}", json={"a": 1, "b": 1}, headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["vary"] == "Origin"


async def test_a_page_reads_that_its_key_is_wrong(alice: Shop) -> None:
    answer = await alice.post("/v1/call/x", "letmein", headers={"Origin": PAGE})
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_another_origin_is_refused(alice: Shop) -> None:
    alice.office.ask("change_project", id=alice.id, allowed_origins=[PAGE])
    callee = await alice.backend("f")
    callee.serve(echo)
    allowed = await alice.post("/v1/call/f", headers={"Origin": PAGE})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    answer = await alice.post("/v1/call/f", headers={"Origin": "https://evil.example"})
    assert_problem(answer, 403, "forbidden")
    assert "access-control-allow-origin" not in answer.headers
    assert (await alice.post("/v1/call/f")).status_code == 200  # no browser: no origin


# --- back ends' answers ----------------------------------------------------------------------------------------------


async def echo(call: Frame) -> Frame:
    return {"data": call["data"]}


async def created(call: Frame) -> Frame:
    return {"data": 7, "outcome": "users.created"}


async def header_of(call: Frame) -> Frame:
    return {"data": call["header"]}


async def size_of(call: Frame) -> Frame:
    return {"data": len(call["data"])}


async def pieces(number: int) -> AsyncIterator[bytes]:
    """A JSON text in pieces of 64 KiB."""
    yield b'"' + b"x" * 65_535
    for _ in range(number - 2):
        yield b"x" * 65_536
    yield b"x" * 65_535 + b'"'
