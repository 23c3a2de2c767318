"""Front ends on one relay process, back ends on the other: nobody notices."""

import asyncio
import time

import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop
from tests.relay.harness.peer import Answer, Frame

AT_ONCE = 1.0  # s


@pytest.fixture
def here(cluster: Cluster, alice: ClusterShop) -> ClusterShop:
    """Alice's project at the first relay."""
    return alice.at(cluster.relays[0])


@pytest.fixture
def there(cluster: Cluster, alice: ClusterShop) -> ClusterShop:
    """And at the second one."""
    return alice.at(cluster.relays[1])


@pytest.fixture
def stranger_s(cluster: Cluster, charlie: ClusterShop) -> list[ClusterShop]:
    """Charlie's project at both."""
    return [charlie.at(relay) for relay in cluster.relays]


async def test_a_call_with_its_progress_and_its_result(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("report")
    await here.sees(1)
    page = await here.frontend(session="session of a page")
    await page.send("call", id="mine", cmd="report", data={"month": 11}, timeout=2_000)
    header = {"session": "session of a page", "connection": page.welcome["connection"], "peer": "frontend"}
    call = await server.assert_received("call", cmd="report", data={"month": 11})
    assert call["header"] == {**call["header"], **header, "ip": "127.0.0.1", "transport": "ws"}
    assert 1_000 < call["timeout"] <= 2_000
    for percent in range(100):
        await server.send("progress", id=call["id"], data=percent)
    await server.send("result", id=call["id"], data="done", outcome="report.made")
    for percent in range(100):
        await page.assert_received("progress", id="mine", data=percent)
    await page.assert_received("result", id="mine", data="done", outcome="report.made")
    await page.assert_silent()


async def test_a_function_s_own_error(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("strict")
    await here.sees(1)
    page = await here.frontend()
    await page.send("call", id="1", cmd="strict")
    call = await server.assert_received("call")
    await server.send("error", id=call["id"], code="invalid_arguments", message="No month.", data={"month": None})
    await page.assert_received(
        "error", id="1", code="invalid_arguments", message="No month.", retryable=False, data={"month": None}
    )


async def test_a_call_is_cancelled_and_a_caller_leaves(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("patient")
    await here.sees(1)
    page = await here.frontend()
    await page.send("call", id="1", cmd="patient")
    call = await server.assert_received("call")
    await page.send("cancel", id="1")
    await page.assert_received("error", id="1", code="cancelled")
    await server.assert_received("cancel", id=call["id"])
    await page.send("call", id="2", cmd="patient")
    call = await server.assert_received("call")
    await page.vanish()
    left = time.monotonic()
    await server.assert_received("cancel", id=call["id"])
    assert time.monotonic() - left < AT_ONCE


async def test_a_deadline_is_kept_and_the_callee_told(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("never")
    await here.sees(1)
    page = await here.frontend()
    for timeout in (100, 900):
        began = time.monotonic()
        await page.send("call", id="1", cmd="never", timeout=timeout)
        call = await server.assert_received("call")
        await page.assert_received("error", id="1", code="deadline_exceeded")
        assert timeout / 1000 <= time.monotonic() - began <= timeout / 1000 + 0.25
        await server.assert_received("cancel", id=call["id"])


async def test_calls_of_one_caller_arrive_in_order(here: ClusterShop, there: ClusterShop) -> None:
    """GP-17, while results come back in another order."""
    server = await there.backend("ordered")
    await here.sees(1)
    page = await here.frontend()
    for number in range(500):
        await page.send("call", id=str(number), cmd="ordered", data=number)
    calls = [await server.assert_received("call", data=number) for number in range(500)]
    for call in reversed(calls):
        await server.send("result", id=call["id"], data=call["data"])
    for number in reversed(range(500)):
        await page.assert_received("result", id=str(number), data=number)


async def test_a_large_call_and_a_large_result(here: ClusterShop, there: ClusterShop) -> None:
    text = "x" * (1_048_576 - 200)
    server = await there.backend("echo")
    await here.sees(1)
    page = await here.frontend()
    await page.send("call", id="1", cmd="echo", data=text)
    call = await server.receive()
    assert call["data"] == text
    await server.send("result", id=call["id"], data=text)
    await page.assert_received("result", id="1", data=text)


async def test_a_call_and_a_send_over_http(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("add")
    await here.sees(1)
    asked = asyncio.create_task(here.post("/v1/call/add", json={"a": 5, "b": 3}))
    call = await server.assert_received("call", data={"a": 5, "b": 3})
    assert call["header"]["transport"] == "http"
    await server.send("result", id=call["id"], data=8)
    assert (await asked).json() == {"data": 8}
    assert (await here.post("/v1/send/add", json="sent")).status_code == 202
    await server.assert_received("send", cmd="add", data="sent")


async def test_calls_take_turns_over_both_relays(here: ClusterShop, there: ClusterShop) -> None:
    for number, shop in enumerate((here, there, there)):
        server = await shop.backend("which")
        server.serve(answering(number))
    await here.sees(3)
    await there.sees(3)
    for shop in (here, there):
        page = await shop.frontend()
        answers = [(await page.call("which"))["data"] for _ in range(6)]
        assert sorted(answers) == [0, 0, 1, 1, 2, 2]


def answering(number: int) -> Answer:
    async def answer(call: Frame) -> Frame:
        return {"data": number}

    return answer


async def test_what_a_server_takes_back_is_known_everywhere(here: ClusterShop, there: ClusterShop) -> None:
    server = await there.backend("one", "two")
    await here.sees(1)
    page = await here.frontend()
    await server.send("unregister", id="1", functions=[{"name": "one"}])
    await server.assert_received("result", id="1")
    await here.sees_functions("two")
    assert (await page.call("one"))["code"] == "no_such_function"
    await server.close()
    await here.sees(0)
    assert (await page.call("two", timeout=200))["code"] == "no_server_online"


async def test_a_function_is_found_through_the_other_relay_as_soon_as_register_is_answered(
    here: ClusterShop, there: ClusterShop
) -> None:
    page = await here.frontend()
    for number in range(30):
        server = await there.backend(f"fresh:function-{number}")
        server.serve(answering(number))
        assert (await page.call(f"fresh:function-{number}")).get("data") == number


async def test_a_server_that_drains_elsewhere_gets_no_more_calls(here: ClusterShop, there: ClusterShop) -> None:
    leaving = await there.backend("add")
    await here.sees(1)
    staying = await there.backend("add")
    await here.sees(2)
    await leaving.send("drain", id="1")
    await leaving.assert_received("result", id="1")
    page = await here.frontend()
    for number in range(10):
        await page.send("call", id=str(number), cmd="add", data=number)
        call = await staying.assert_received("call", data=number)
        await staying.send("result", id=call["id"])
        await page.assert_received("result", id=str(number))
    await leaving.assert_silent()


# --- channels ---------------------------------------------------------------------------------------------------------


async def test_all_hear_two_publishers_in_the_same_order(
    here: ClusterShop, there: ClusterShop, stranger_s: list[ClusterShop]
) -> None:
    """GP-20, with publishers and subscribers on both sides."""
    number = 300
    publishers = [await shop.backend() for shop in (here, there)]
    readers = [await (await shop.frontend()).subscribe("news") for shop in (here, there, here, there)]
    stranger = await (await stranger_s[0].frontend()).subscribe("news")
    for each in range(number):
        for name, publisher in enumerate(publishers):
            await publisher.send("publish", channel="news", data=[name, each])
    heard = [[(await reader.assert_received("message"))["data"] for _ in range(2 * number)] for reader in readers]
    assert all(one == heard[0] for one in heard)
    for name in range(2):
        assert [each for who, each in heard[0] if who == name] == list(range(number))
    for reader in (*readers, stranger):
        await reader.assert_silent()


async def test_receivers_are_counted_everywhere(
    here: ClusterShop, there: ClusterShop, stranger_s: list[ClusterShop]
) -> None:
    publisher = await here.backend()
    await publisher.subscribe("news")
    for shop in (here, there, there):
        await (await shop.frontend()).subscribe("news")
    for shop in stranger_s:
        await (await shop.frontend()).subscribe("news")
    for excluded, receivers in ((False, 4), (True, 3)):
        await publisher.send("publish", id="1", channel="news", data=1, exclude_me=excluded)
        heard = [await publisher.receive() for _ in range(2 - excluded)]
        assert heard[-1] == {"type": "result", "id": "1", "data": {"receivers": receivers}}
    await publisher.send("publish", id="2", channel="nobody listens")
    await publisher.assert_received("result", id="2", data={"receivers": 0})


# --- who sees what ----------------------------------------------------------------------------------------------------


async def test_every_relay_shows_the_servers_of_both(
    here: ClusterShop, there: ClusterShop, stranger_s: list[ClusterShop]
) -> None:
    for name, shop in (("first", here), ("second", there)):
        await shop.backend("add", name=name)
    for shop in (here, there):
        await shop.sees(2)
        servers = await shop.servers()
        assert [server["name"] for server in servers] in (["first", "second"], ["second", "first"])
        assert all(server["functions"] == ["add"] and server["sdk"] == "tests/1.0.0" for server in servers)
    assert [await shop.servers() for shop in stranger_s] == [[], []]


async def test_charlie_s_servers_of_the_same_name_get_nothing(
    here: ClusterShop, there: ClusterShop, stranger_s: list[ClusterShop]
) -> None:
    strangers = [await shop.backend("add") for shop in stranger_s]
    server = await there.backend("add")
    await here.sees(1)
    page, stranger = await here.frontend(), await stranger_s[0].frontend()
    for number in range(6):
        await page.send("call", id=str(number), cmd="add", data=number)
        await server.assert_received("call", data=number)
    for peer in (*strangers, stranger):
        await peer.assert_silent()


# --- back ends call front ends ----------------------------------------------------------------------------------------


async def test_a_back_end_calls_a_page_of_the_other_relay(
    here: ClusterShop, there: ClusterShop, stranger_s: list[ClusterShop]
) -> None:
    session = "the same session in both projects"
    server, page = await there.backend("any"), await here.frontend(session=session)
    stranger = await stranger_s[0].frontend(session=session)
    to = {"session": session}
    await server.send("call", id="1", cmd="show", data=1, to=to)
    call = await page.assert_received("call", cmd="show", data=1)
    await page.send("progress", id=call["id"], data="half")
    await page.send("result", id=call["id"], data="shown")
    await server.assert_received("progress", id="1", data="half")
    await server.assert_received("result", id="1", data="shown")
    await server.send("send", cmd="show", data=2, to=to)
    await page.assert_received("send", cmd="show", data=2)
    await server.send("call", id="2", cmd="show", to={"connection": page.welcome["connection"]})
    await page.assert_received("call")
    await page.vanish()
    await server.assert_received("error", id="2", code="callee_lost")
    await stranger.assert_silent()
