"""Unknown keys are looked up seldom, and cost those who share their address nothing (GP-4)."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from accounts.alphabet import random_text
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

EVIL, SHOP = "https://evil.example", "https://shop.example"


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """It looks up one unknown key a second, two at once."""
    with running(RelayServer(home, ip_failures=1), office) as server:
        yield server


@pytest.fixture(autouse=True)
def one_address(alice: Shop, charlie: Shop) -> None:
    """All of a test come from the same one."""
    alice.ip = charlie.ip = f"127.0.{secrets.randbelow(250) + 5}.{secrets.randbelow(250) + 1}"


def made_up() -> str:
    return f"gluer_pub_{random_text(12)}_{random_text()}"


async def floods(shop: Shop, origin: str | None) -> None:
    """Made-up keys until no more are looked up."""
    headers = {} if origin is None else {"Origin": origin}
    answers = [(await shop.post("/v1/call/x", made_up(), headers=headers)).status_code for _ in range(10)]
    assert answers[:2] == [401, 401]
    assert 429 in answers


async def assert_called(shop: Shop, key: str | None = None, origin: str | None = None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = await shop.post("/v1/call/calculator:add", key, json={"a": 5, "b": 3}, headers=headers)
    assert answer.json() == {"data": {"result": 8}}


async def test_guessing_keys_is_slow_over_http(alice: Shop) -> None:
    await floods(alice, None)
    refused = await alice.post("/v1/call/x", made_up())
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1


async def test_guessing_keys_is_slow_over_websocket(alice: Shop) -> None:
    told = []
    for _ in range(5):
        key = made_up()
        peer = await alice.socket(path=key.split("_")[2])
        await peer.send("hello", key=key)
        told.append((await peer.until_closed())[-1]["code"])
    assert told[:2] == ["unauthorized", "unauthorized"]
    assert "rate_limited" in told


@pytest.mark.parametrize("origin", [None, EVIL])
async def test_a_key_that_was_good_before_still_is(alice: Shop, origin: str | None) -> None:
    await alice.calculator()
    await assert_called(alice)
    await floods(alice, origin)
    await assert_called(alice)
    await assert_called(alice, origin=EVIL)
    await (await alice.frontend(origin=EVIL)).call("calculator:add", {"a": 5, "b": 3})


async def test_and_after_a_change_for_which_it_is_looked_up_anew(alice: Shop) -> None:
    await alice.calculator()
    alice.office.ask("change_project", id=alice.id, allowed_origins=[SHOP])
    async with asyncio.timeout(5):
        while (await alice.post("/v1/call/x", headers={"Origin": EVIL})).status_code != 403:
            pass
    await floods(alice, None)
    await assert_called(alice, alice.private)


async def test_what_a_page_makes_its_visitors_do_harms_none_of_their_own_keys(alice: Shop, charlie: Shop) -> None:
    """A key that this relay has never seen, of a program or of another page."""
    await floods(charlie, EVIL)
    await alice.calculator()
    await assert_called(alice, origin=SHOP)


async def test_many_good_keys_may_come_at_once_from_one_address(alice: Shop) -> None:
    await alice.calculator()
    keys = [alice.office.new_key(alice.id, "public") for _ in range(40)]
    await asyncio.gather(*(assert_called(alice, key) for key in keys))


async def test_a_program_with_one_wrong_key_uses_up_no_look_ups(alice: Shop, charlie: Shop) -> None:
    wrong = made_up()
    for _ in range(10):
        assert (await charlie.post("/v1/call/x", wrong)).status_code == 401
        assert (await charlie.post("/v1/call/x", "letmein")).status_code == 401
    await alice.calculator()
    await assert_called(alice)
