"""What floods of one address cost another tenant's calls: a table of attack × p50, p99 and the relay's CPU."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.flooder import ATTACKS
from tests.relay.harness.home import BASE, Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

SECONDS = 8.0  # of an attack
WARM = 1.0  # s of it before the victim is measured: the burst of each rate is part of it
PAUSE = 0.004  # s between two calls
RATES = {"line speed": 0, "10 MB/s": 10_000_000}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """A run of the victim's calls: milliseconds; `cpu`: of one core, by the relay."""

    p50: float
    p99: float
    most: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.p50:.1f} | {self.p99:.1f} | {self.most:.0f} | {self.cpu:.0%}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("floods") / "home")
    home.prepare()
    return home


@pytest.fixture(scope="module")
def office(home: Home) -> Iterator[Office]:
    office = Office(home)
    yield office
    office.close()


@pytest.fixture
def relay(home: Home) -> Iterator[RelayServer]:
    """With the limits of the product, on a core of its own."""
    relay = RelayServer(home)
    relay.start()
    os.sched_setaffinity(relay.process.pid, {0})
    yield relay
    relay.close()


@pytest.fixture
async def shops(office: Office, relay: RelayServer) -> AsyncIterator[tuple[Shop, Shop]]:
    alice, charlie = (Shop.open(relay, office, name) for name in ("Alice", "Charlie"))
    yield alice, charlie
    await alice.close()


def cpu_seconds(relay: RelayServer) -> float:
    fields = Path(f"/proc/{relay.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def calls(page: Peer, relay: RelayServer, seconds: float) -> Measured:
    """Make calls one after the other; each is answered."""
    took, used, began = [], cpu_seconds(relay), time.monotonic()
    while time.monotonic() - began < seconds:
        start = time.monotonic()
        assert (await page.call("calculator:add", {"a": 1, "b": 2}))["data"] == {"result": 3}
        took.append((time.monotonic() - start) * 1000)
        await asyncio.sleep(PAUSE)
    took.sort()
    cpu = (cpu_seconds(relay) - used) / (time.monotonic() - began)
    return Measured(took[len(took) // 2], took[len(took) * 99 // 100], took[-1], cpu)


async def attacked(attack: str, rate: int, alice: Shop, charlie: Shop, page: Peer) -> tuple[Measured, dict[str, Any]]:
    """What the victim measures during an attack, and what the attacker says of itself."""
    orders = {
        "attack": attack, "rate": rate, "seconds": SECONDS, "port": alice.relay.port,
        "project": charlie.id, "key": charlie.public,
    }  # fmt: skip
    flooder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attacks.flooder"), cwd=BASE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said = asyncio.ensure_future(flooder.communicate(json.dumps(orders).encode() + b"\n"))
    await asyncio.sleep(WARM)
    measured = await calls(page, alice.relay, SECONDS - WARM)
    async with asyncio.timeout(SECONDS):
        output, _ = await said
    return measured, json.loads(output)


@pytest.mark.attack
@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_flood_from_one_address_ends_no_call_of_another_tenant(shops: tuple[Shop, Shop], attack: str) -> None:
    alice, charlie = shops
    await alice.calculator()
    page = await alice.frontend()
    await calls(page, alice.relay, 1)
    print(f"\n| {attack} | p50 ms | p99 ms | most ms | relay CPU | sent, opened, refused |")
    print(f"| quiet | {await calls(page, alice.relay, 3)} | |")
    for name, rate in RATES.items():
        measured, did = await attacked(attack, rate, alice, charlie, page)
        print(f"| {name} | {measured} | {did['sent'] / 1e6:.1f} MB, {did['opened']}, {did['refused']} |")
        assert did["opened"] + did["refused"], "the attacker never came"
        await asyncio.sleep(6)  # the address may come again
