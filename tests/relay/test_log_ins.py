"""Many log-ins at once, against the process that relays: what they cost its memory and those it serves."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.relay.harness.home import Home
from tests.relay.harness.server import RelayServer

LOG_INS = 30
GROWTH = 100  # MiB that they may cost: two hashes of 19 MiB, and the threads of pages
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


NOBODY, HERE = "10.0.0.7", "127.0.0.0/8"  # proxies that are trusted


@pytest.fixture
def relay(own_home: Home, request: pytest.FixtureRequest) -> Iterator[RelayServer]:
    own_home.settings["GLUER_TRUSTED_PROXIES"] = getattr(request, "param", NOBODY)
    server = RelayServer(own_home)
    server.start()
    yield server
    server.close()


def status_of(relay: RelayServer, name: str) -> int:
    """A number of the kernel's status of the relay's process."""
    return int(Path(f"/proc/{relay.process.pid}/status").read_text().split(f"{name}:")[1].split()[0])


def peak(relay: RelayServer) -> int:
    """The most memory that the relay has had so far, in MiB."""
    return status_of(relay, "VmHWM") // 1024


class Visitor:
    """Somebody with an address of their own, who logs in."""

    def __init__(self, relay: RelayServer, number: int) -> None:
        transport = httpx.AsyncHTTPTransport(local_address=f"127.0.1.{number}")
        self.browser = httpx.AsyncClient(base_url=relay.http, transport=transport, timeout=60)

    async def open(self) -> None:
        page = (await self.browser.get("/accounts/login/")).text
        found = TOKEN.search(page)
        assert found
        self.token = found[1]

    async def log_in(self, **headers: str) -> httpx.Response:
        """Nobody has this address: a password is hashed all the same."""
        form = {"login": "dora@example.org", "password": "wrong", "csrfmiddlewaretoken": self.token}
        return await self.browser.post("/accounts/login/", data=form, headers=headers)


async def asked_until(over: asyncio.Event, relay: RelayServer) -> "Counter[int]":
    """The answers of /healthz, asked one after the other."""
    answers: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=relay.http, timeout=60) as prober:
        while not over.is_set():
            answers[(await prober.get("/healthz")).status_code] += 1
    return answers


async def test_many_log_ins_at_once_stay_within_the_memory_of_two(relay: RelayServer) -> None:
    async with AsyncExitStack() as stack:
        visitors = [Visitor(relay, number) for number in range(1, LOG_INS + 1)]
        for visitor in visitors:
            await stack.enter_async_context(visitor.browser)
            await visitor.open()
        before, over = peak(relay), asyncio.Event()
        probing = asyncio.create_task(asked_until(over, relay))
        answers = [answer.status_code for answer in await asyncio.gather(*(visitor.log_in() for visitor in visitors))]
        over.set()
        healthy = await probing
    print(f"{LOG_INS} log-ins: {before} MiB, then {peak(relay)} MiB; answers: {Counter(answers)}; healthy: {healthy}")
    assert set(answers) <= {200, 503}
    assert answers.count(200) >= LOG_INS // 2
    assert peak(relay) - before < GROWTH
    assert healthy[200] == healthy.total() > 0


@pytest.mark.parametrize(("relay", "last"), [(NOBODY, "Too many failed"), (HERE, "not correct")], indirect=["relay"])
async def test_nobody_gets_another_address_by_saying_so(relay: RelayServer, last: str) -> None:
    """Unless a trusted proxy says so."""
    visitor = Visitor(relay, 1)
    async with visitor.browser:
        await visitor.open()
        pages = [await visitor.log_in(**{"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(6)]
    assert "not correct" in pages[0].text
    assert last in pages[-1].text
