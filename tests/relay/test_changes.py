"""What is changed in the database reaches open sockets within a second, whoever changed it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

PROMISED = 1.0  # s
PAGE, OTHER_PAGE = "https://shop.example", "https://other.example"


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """One server is enough: what is tested lies behind it."""
    with running(RelayServer(home), office) as server:
        yield server


@contextmanager
def within_a_second(what: str) -> Iterator[None]:
    """From before the change is committed until its effect is seen."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    print(f"{what}: {took * 1000:.0f} ms")
    assert took < PROMISED


async def change(shop: Shop, name: str, /, **arguments: Any) -> Any:
    return await asyncio.to_thread(shop.office.ask, name, **arguments)


async def assert_works(peer: Peer) -> None:
    """This peer can still call the calculator, and nothing else has reached it."""
    assert (await peer.call("calculator:add", {"a": 5, "b": 3}))["data"] == {"result": 8}


@pytest.fixture
async def bystander(alice: Shop) -> Peer:
    """A front end of Alice's with the first key; her calculator shows the password."""
    await alice.calculator(password=alice.password)
    peer = await alice.frontend()
    await assert_works(peer)
    return peer


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_a_revoked_key_ends_its_connections(alice: Shop, bystander: Peer, kind: str) -> None:
    key = alice.office.new_key(alice.id, kind)
    peers = [await (await alice.socket()).hello(key=key) for _ in range(3)]
    with within_a_second("a revoked key"):
        await change(alice, "revoke", key=key)
        for peer in peers:
            assert await peer.assert_closed(4410, code="revoked", reconnect=False) == []
    again = await alice.socket()
    await again.send("hello", key=key)
    await again.assert_closed(4401)
    assert (await alice.post("/v1/send/calculator:add", key)).status_code == 401
    await assert_works(bystander)


async def test_a_deleted_projects_connections_end(alice: Shop, charlie: Shop) -> None:
    peers = [await alice.frontend(), await alice.backend("f")]
    stranger = await charlie.frontend()
    with within_a_second("a deleted project"):
        await change(alice, "delete_project", id=alice.id)
        for peer in peers:
            assert await peer.assert_closed(4410, reconnect=False) == []
    again = await alice.socket()
    await again.send("hello", key=alice.public)
    await again.assert_closed(4401)
    await stranger.assert_silent()


async def test_a_password_that_is_asked_for_now_ends_those_without(alice: Shop, bystander: Peer) -> None:
    without = await alice.backend()
    wrong = await alice.backend(password="guess")
    with within_a_second("the password is asked for"):
        await change(alice, "change_project", id=alice.id, require_password=True)
        for peer in (without, wrong):
            assert await peer.assert_closed(4401, code="unauthorized", reconnect=False) == []
    await assert_works(bystander)  # by a front end, answered by a back end that showed it


async def test_a_new_password_ends_those_with_the_old(alice: Shop) -> None:
    await change(alice, "change_project", id=alice.id, require_password=True)
    old, front = await alice.backend(password=alice.password), await alice.frontend()
    with within_a_second("a new password"):
        new = await asyncio.to_thread(alice.office.regenerate_password, alice.id)
        await old.assert_closed(4401)
    await alice.calculator(password=new)
    await assert_works(front)


async def test_a_password_nobody_asks_for_may_change(alice: Shop, bystander: Peer) -> None:
    peer = await alice.backend(password=alice.password)
    await asyncio.to_thread(alice.office.regenerate_password, alice.id)
    await until_noticed(alice)
    await peer.assert_silent()
    await assert_works(bystander)


async def test_origins_that_are_not_allowed_any_more_end(alice: Shop, bystander: Peer) -> None:
    allowed, other = await alice.frontend(origin=PAGE), await alice.frontend(origin=OTHER_PAGE)
    with within_a_second("allowed origins"):
        await change(alice, "change_project", id=alice.id, allowed_origins=[PAGE])
        await other.assert_closed(4403, code="forbidden", reconnect=False)
    for peer in (allowed, bystander):
        await assert_works(peer)
    again = await alice.socket(origin=OTHER_PAGE)
    await again.send("hello", key=alice.public)
    await again.assert_closed(4403)


async def test_an_origin_that_is_allowed_now_may_enter(alice: Shop) -> None:
    await change(alice, "change_project", id=alice.id, allowed_origins=[PAGE])
    await alice.frontend(origin=PAGE)  # the relay knows the key, and the old list
    with within_a_second("one more origin"):
        await change(alice, "change_project", id=alice.id, allowed_origins=[PAGE, OTHER_PAGE])
        await until_works(lambda: alice.frontend(origin=OTHER_PAGE))


async def test_a_new_key_works_at_once(alice: Shop, bystander: Peer) -> None:
    key = await asyncio.to_thread(alice.office.new_key, alice.id, "public")
    peer = await (await alice.socket()).hello(key=key)
    await assert_works(peer)


async def test_a_project_that_is_only_renamed_loses_nobody(alice: Shop, bystander: Peer) -> None:
    await change(alice, "change_project", id=alice.id, name="Another name")
    await until_noticed(alice)
    await assert_works(bystander)


async def test_how_long_calls_are_held_changes_within_a_second(alice: Shop, bystander: Peer) -> None:
    await (await alice.backend("lost:one")).vanish()
    caller = await alice.frontend()
    await caller.send("call", id="held", cmd="lost:one")
    await caller.assert_silent()
    with within_a_second("how long calls are held"):
        await change(alice, "change_project", id=alice.id, hold_seconds=0)
        while not await ends_at_once(caller, "lost:one"):
            pass
    await assert_works(bystander)


async def test_what_visitors_may_use_changes_within_a_second(alice: Shop, bystander: Peer) -> None:
    with within_a_second("a lower limit of a session"):
        await change(alice, "change_project", id=alice.id, session_rate=1)
        while not await is_limited(bystander):
            pass
    with within_a_second("a higher limit of a session"):
        await change(alice, "change_project", id=alice.id, session_rate=1_000)
        while await is_limited(bystander):
            pass
    await assert_works(bystander)


async def is_limited(caller: Peer) -> bool:
    """Whether a call of it is refused. Who asks without a pause is closed for its flood."""
    await asyncio.sleep(0.005)
    return (await caller.call("calculator:add", {"a": 5, "b": 3})).get("code") == "rate_limited"


async def ends_at_once(caller: Peer, cmd: str) -> bool:
    """Whether a call of it is not held."""
    await caller.send("call", id="now", cmd=cmd)
    try:
        async with asyncio.timeout(0.15):
            await caller.assert_received("error", id="now", code="no_server_online")
    except TimeoutError:
        await caller.send("cancel", id="now")
        await caller.assert_received("error", id="now")
        return False
    return True


async def test_charlie_is_untouched_by_alices_changes(alice: Shop, charlie: Shop) -> None:
    server, front = await charlie.calculator(), await charlie.frontend()
    await change(alice, "change_project", id=alice.id, require_password=True, allowed_origins=[PAGE])
    await until_noticed(alice)
    await assert_works(front)
    assert server.serving
    assert not server.serving.done()


async def test_a_hello_that_races_with_the_revocation_does_not_stay(alice: Shop) -> None:
    for number in range(10):
        alice.ip = f"127.0.3.{number + 1}"  # wrong keys are few per address
        key = alice.office.new_key(alice.id, "public")
        peers = [await alice.socket() for _ in range(8)]
        revoked = asyncio.create_task(change(alice, "revoke", key=key))
        for peer in peers:
            await peer.send("hello", key=key)
            await asyncio.sleep(0.001)  # spread over the time that the revocation takes
        await revoked
        with within_a_second("a revocation among hellos"):
            codes = []
            for peer in peers:
                await peer.until_closed()
                codes.append(peer.close_code)
        assert set(codes) <= {4401, 4410}


async def until_works(enter: Callable[[], Any]) -> None:
    """Try to enter until the relay lets one in, for as long as was promised."""
    end = time.monotonic() + PROMISED
    while True:
        try:
            await enter()
            return
        except (AssertionError, ConnectionClosed):
            assert time.monotonic() < end


async def until_noticed(shop: Shop) -> None:
    """Wait until the relay has seen all changes so far: it sees them in order, and this one can be felt."""
    key = shop.office.new_key(shop.id, "public")
    witness = await (await shop.socket()).hello(key=key)
    await change(shop, "revoke", key=key)
    await witness.assert_closed(4410)
