"""Probes tell whether a process lives and is ready, whatever else is away."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluer_site.health import Check
from tests.embedded.installation import until
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop
from tests.relay.harness.worker import broker
from tests.relay.test_counting import away

DEGRADED = {"status": "ready", "keys": "remembered", "database": "degraded"}


def probe(relay: RelayServer, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(relay.http + path, headers=headers, trust_env=False, timeout=5)
    return answer.status_code, answer.json()


class Unasked(RelayServer):
    """Looked at by nothing but its /healthz."""

    def answers(self) -> bool:
        try:
            return probe(self, "/healthz") == (200, {"status": "alive"})
        except httpx.HTTPError:
            return False


class Draining(RelayServer):
    """One that lets its peers move when it is asked to end."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gluer_site.serve", "--fd", str(self.listener.fileno())]


@pytest.fixture
def own_relay(own_home: Home, own_office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(own_home), own_office) as server:
        yield server


@pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8000", "elsewhere.example"])
def test_probes_are_answered_for_any_host(relay: RelayServer, host: str) -> None:
    assert probe(relay, "/healthz", host=host) == (200, {"status": "alive"})
    assert probe(relay, "/readyz", host=host) == (200, {"status": "ready", "keys": "ok", "database": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_asked_by_get(relay: RelayServer, path: str) -> None:
    assert httpx.head(relay.http + path, trust_env=False).status_code == 200
    refused = httpx.post(relay.http + path, trust_env=False)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert "access-control-allow-origin" not in refused.headers


def test_a_relay_that_has_not_begun_is_not_ready_and_begins(home: Home, office: Office) -> None:
    with running(Unasked(home, "daphne"), office) as server:
        assert probe(server, "/readyz") == (503, {"status": "starting", "keys": "ok", "database": "ok"})
        ready = {"status": "ready", "keys": "ok", "database": "ok"}
        until(lambda: probe(server, "/readyz") == (200, ready), "a relay that has begun", 5)


async def test_a_relay_that_drains_is_alive_and_not_ready(home: Home, office: Office) -> None:
    with running(Draining(home), office) as server:
        alice = Shop.open(server, office, "Alice")
        caller, callee = await alice.frontend(), await alice.backend("slow")
        await caller.send("call", id="1", cmd="slow")
        call = await callee.assert_received("call")
        server.process.terminate()
        await asyncio.to_thread(until, lambda: probe(server, "/readyz")[0] == 503, "a drain", 5)
        assert await asyncio.to_thread(probe, server, "/readyz") == (
            503,
            {"status": "draining", "keys": "ok", "database": "ok"},
        )
        assert await asyncio.to_thread(probe, server, "/healthz") == (200, {"status": "alive"})
        await callee.send("result", id=call["id"])
        await alice.close()
        await asyncio.to_thread(server.process.wait, 20)


def test_without_its_database_a_relay_is_degraded_and_ready(own_relay: RelayServer, own_home: Home) -> None:
    until(lambda: probe(own_relay, "/readyz")[0] == 200, "ready", 5)
    with away(own_home):
        until(lambda: probe(own_relay, "/readyz") == (200, DEGRADED), "degraded", 5)
    until(lambda: probe(own_relay, "/readyz") == (200, {"status": "ready", "keys": "ok", "database": "ok"}), "ok", 3)


def test_without_its_redis_a_relay_is_degraded_and_ready(home: Home, office: Office, tmp_path: Path) -> None:
    server = RelayServer(home)
    with ExitStack() as stack:
        server.settings["REDIS_URL"] = stack.enter_context(broker(tmp_path))
        with running(server, office):
            until(lambda: probe(server, "/readyz")[1]["redis"] == "ok", "Redis", 5)
            stack.close()
            without = {"status": "ready", "keys": "ok", "database": "ok", "redis": "degraded"}
            until(lambda: probe(server, "/readyz") == (200, without), "a degraded relay", 3)


class Dependency:
    """Answers as it is told, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def ask(self) -> None:
        self.asked += 1
        await self.answers.wait()


async def test_a_flood_of_probes_asks_once_a_second() -> None:
    dependency = Dependency()
    dependency.answers.set()
    check = Check(dependency.ask)
    assert all(await asyncio.gather(*(check.holds() for _ in range(1_000))))
    assert await check.holds()
    assert dependency.asked == 1


async def test_what_hangs_is_waited_for_a_second_and_asked_once() -> None:
    dependency = Dependency()
    check = Check(dependency.ask)
    began = time.monotonic()
    assert not any(await asyncio.gather(*(check.holds() for _ in range(100))))
    assert time.monotonic() - began < 1.2
    began = time.monotonic()
    assert not any([await check.holds() for _ in range(100)])
    assert time.monotonic() - began < 0.2
    assert dependency.asked == 1
    dependency.answers.set()
    await asyncio.sleep(0)
    assert await check.holds()
