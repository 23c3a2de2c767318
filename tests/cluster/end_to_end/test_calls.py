"""Pages and servers with the SDKs as they are shipped: calls."""

import asyncio

import pytest

from tests.cluster.end_to_end.door import Project

SESSION = "session-of-a-page"
ADD = {"a": 5, "b": 3}
LONG = 60_000  # ms


async def test_a_call_has_its_result(alice: Project, charlie: Project) -> None:
    stranger = await charlie.back_end()
    await alice.back_end()
    page = await alice.front_end(session=SESSION)
    assert await page.call("shop:add", ADD) == {"data": {"result": 8}}
    header = (await page.call("shop:who"))["data"]
    assert {name: header[name] for name in ("session", "connection", "peer", "ip", "transport")} == {
        "session": SESSION,
        "connection": page.welcome["connection"],
        "peer": "frontend",
        "ip": "127.0.0.1",
        "transport": "ws",
    }
    assert (await (await charlie.front_end()).call("shop:work", {"number": 1, "ms": 0}))["data"] == 1
    assert stranger.numbers_of("began") == [1]


async def test_a_stranger_s_functions_of_the_same_name_are_not_called(alice: Project, charlie: Project) -> None:
    strangers = [await charlie.back_end(), await charlie.back_end(by_the_front_door=True)]
    server = await alice.back_end()
    page = await alice.front_end()
    for number in range(6):
        assert (await page.call("shop:work", {"number": number, "ms": 0}))["data"] == number
    assert server.numbers_of("finished") == list(range(6))
    assert [stranger.numbers_of("began") for stranger in strangers] == [[], []]


async def test_peers_that_all_come_by_the_same_door_meet(alice: Project) -> None:
    await alice.back_end(by_the_front_door=True)
    page = await alice.front_end()
    assert (await page.call("shop:add", ADD))["data"] == {"result": 8}


async def test_an_error_has_its_code_and_its_data(alice: Project) -> None:
    await alice.back_end()
    error = await (await alice.front_end()).error("shop:refuse", {"left": 0})
    assert (error.code, error.message, error.data, error.retryable) == ("rejected", "Sold out.", {"left": 0}, False)


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [("circle", "app_error", "circular"), ("map", "app_error", "Map"), ("large", "payload_too_large", "bytes")],
)
async def test_an_answer_that_cannot_be_sent_is_explained_to_its_server_only(
    alice: Project, kind: str, code: str, reason: str
) -> None:
    server = await alice.back_end()
    page = await alice.front_end()
    error = await page.error("shop:answer", {"kind": kind})
    assert (error.code, error.message) == (code, "The function failed: why is told where it runs.")
    [told] = await server.told("error", about="shop:answer")
    assert (told["code"], reason in told["message"]) == (code, True)
    assert (await page.call("shop:add", ADD))["data"] == {"result": 8}


async def test_what_an_object_has_inherited_from_node_is_no_function(alice: Project) -> None:
    await alice.back_end()
    [server] = await alice.front_door.servers()
    assert "shop:add" in server["functions"]
    assert "shop:removeAllListeners" not in server["functions"]
    error = await (await alice.front_end()).error("shop:removeAllListeners", {})
    assert error.code in ("no_such_function", "no_server_online")  # the latter from a relay that has just begun (GP-16)


async def test_progress_comes_in_order_before_the_named_result(alice: Project) -> None:
    await alice.back_end()
    page = await alice.front_end()
    reply = await page.call("shop:report", {"parts": 100}, name="report")
    assert reply == {"data": "done", "outcome": "report.made"}
    assert [told["data"] for told in page.all("progress", name="report")] == list(range(100))
    assert page.events[-1]["event"] == "ended"


async def test_a_cancelled_call_ends_at_once_and_its_function_is_told(alice: Project) -> None:
    server = await alice.back_end()
    page = await alice.front_end()
    calling = asyncio.create_task(page.error("shop:work", {"number": 1, "ms": LONG}, name="long"))
    await server.told("began", number=1)
    await page.ask("cancel", name="long")
    assert (await calling).code == "cancelled"
    await server.told("stopped")
    assert server.numbers_of("finished") == []


async def test_a_call_ends_at_its_deadline_and_its_function_is_told(alice: Project) -> None:
    server = await alice.back_end()
    page = await alice.front_end()
    error = await page.error("shop:work", {"number": 1, "ms": LONG}, name="late", timeout=500)
    [ended] = await page.told("ended", name="late")
    assert error.code == "deadline_exceeded"
    assert 499 <= ended["after"] <= 750  # Node's timers may fire 1 ms early
    await server.told("stopped")


async def test_a_send_reaches_the_function(alice: Project) -> None:
    server = await alice.back_end()
    page = await alice.front_end()
    await page.ask("send", cmd="shop:work", data={"number": 1, "ms": 0})
    await server.told("finished", number=1)
    assert page.all("error") == []


async def test_a_call_repeated_by_its_idempotency_key_runs_once(alice: Project) -> None:
    servers = [await alice.back_end(), await alice.back_end()]
    page = await alice.front_end()
    work = {"number": 1, "ms": 300}
    together = [page.call("shop:work", work, idempotencyKey="the-first") for _ in range(3)]
    assert await asyncio.gather(*together) == [{"data": 1}] * 3
    assert await page.call("shop:work", work, idempotencyKey="the-first") == {"data": 1}
    assert (await page.error("shop:work", {"number": 2}, idempotencyKey="the-first")).code == "invalid_arguments"
    assert [number for server in servers for number in server.numbers_of("began")] == [1]


async def test_calls_over_http(alice: Project) -> None:
    """By the SDK's fetch, and without an SDK."""
    await alice.back_end()
    page = await alice.front_end()
    assert await page.ask("http", cmd="shop:add", data=ADD) == {"data": {"result": 8}}
    reply = await page.ask("http", cmd="shop:report", data={"parts": 3}, name="streamed")
    assert reply == {"data": "done", "outcome": "report.made"}
    answer = await alice.front_door.post("/v1/call/shop:add", json=ADD)
    assert (answer.status_code, answer.json()) == (200, {"data": {"result": 8}})
    refused = await alice.front_door.post("/v1/call/shop:refuse", json=[0])
    assert (refused.json()["code"], refused.json()["data"]) == ("rejected", [0])
