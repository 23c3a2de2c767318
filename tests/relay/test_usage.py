"""A page with a public key uses up no tenant's month: what one session and one address may use is bounded (GP-53)."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.load import Load
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, http
from tests.relay.test_counting import until_used

SESSION_RATE, ADDRESS_RATE = 5, 10  # requests/s; bursts are twice that
ATTACKER, VISITOR = "127.0.0.6", "127.0.0.7"
ADD = {"a": 5, "b": 3}


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """One server is enough: what is tested lies behind it."""
    with running(RelayServer(home), office) as server:
        yield server


@pytest.fixture
async def limited(alice: Shop) -> Shop:
    """Alice's project, with low limits and a calculator."""
    rates = {"session_rate": SESSION_RATE, "address_rate": ADDRESS_RATE}
    await asyncio.to_thread(alice.office.ask, "change_project", id=alice.id, **rates)
    await alice.calculator()
    return alice


class Bound:
    """The most that a rate lets through from now on: its burst, and what comes while the attack lasts."""

    def __init__(self, rate: int) -> None:
        self.rate, self.began = rate, time.monotonic()

    def check(self, counted: int) -> None:
        most = self.rate * (2 + time.monotonic() - self.began) + 1
        assert 2 * self.rate <= counted <= most


async def assert_served(shop: Shop, before: int) -> None:
    """A visitor from elsewhere makes calls by both ways, and all that was counted is what was answered."""
    visitor = await shop.frontend(ip=VISITOR)
    assert (await visitor.call("calculator:add", ADD))["data"] == {"result": 8}
    async with http(VISITOR) as client:
        assert (await posted(client, shop)).json() == {"data": {"result": 8}}
    await until_used(shop, before + 2)


async def posted(client: httpx.AsyncClient, shop: Shop, session: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {shop.public}"} | ({"Gluer-Session": session} if session else {})
    return await client.post(f"{shop.relay.http}/v1/call/calculator:add", headers=headers, json=ADD)


async def test_one_session_that_calls_as_fast_as_it_can(limited: Shop) -> None:
    bound = Bound(SESSION_RATE)
    attack = await Load(await limited.frontend(ip=ATTACKER)).run(most=300)
    bound.check(attack.count())
    assert attack.count() + attack.count("rate_limited") == 300
    assert (await limited.calls())["rate_limited"] == attack.count("rate_limited")
    await assert_served(limited, attack.count())


async def test_many_sessions_of_one_address(limited: Shop) -> None:
    bound = Bound(ADDRESS_RATE)
    pages = [await limited.frontend(ip=ATTACKER) for _ in range(20)]
    attack = await asyncio.gather(*(Load(page).run(most=30) for page in pages))
    counted = sum(load.count() for load in attack)
    bound.check(counted)
    await assert_served(limited, counted)


@pytest.mark.parametrize("session", ["", "s" * 16, "another"], ids=["without", "one", "many"])
async def test_over_http(limited: Shop, session: str) -> None:
    """The requests of one session share its bound; those without a session have only their address's."""
    bound = Bound(SESSION_RATE if len(session) == 16 else ADDRESS_RATE)
    async with http(ATTACKER) as client:
        names = [f"{number:016}" if session == "another" else session for number in range(100)]
        answers = [await posted(client, limited, name) for name in names]
    told = Counter(answer.status_code for answer in answers)
    bound.check(told[200])
    assert told[200] + told[429] == 100
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["retry_after"] > 0
    assert int(refused.headers["retry-after"]) > 0
    await assert_served(limited, told[200])


async def test_a_session_has_one_bound_over_both_ways(limited: Shop) -> None:
    bound = Bound(SESSION_RATE)
    attack = await Load(await limited.frontend(ip=ATTACKER, session="s" * 16)).run(most=100)
    async with http(ATTACKER) as client:
        answers = [await posted(client, limited, "s" * 16) for _ in range(50)]
    bound.check(attack.count() + [answer.status_code for answer in answers].count(200))


async def test_a_back_end_is_not_limited(limited: Shop) -> None:
    attack = await Load(await limited.backend(ip=ATTACKER)).run(most=300)
    assert attack.count() == 300
