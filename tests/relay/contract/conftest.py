"""The no-lost-call contract over real sockets, with real processes: docs/contract.md names the test of each promise.

Callers and callees keep their own logs, and these are compared.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.killable import KillablePeer
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

PLENTY = 1_000_000
LIMITS = {
    "rate": PLENTY, "ip_rate": PLENTY, "key_rate": PLENTY, "ip_hellos": PLENTY, "key_hellos": PLENTY,
    "ip_connections": PLENTY, "key_connections": PLENTY, "in_flight": 5_000,
}  # fmt: skip
Start = Callable[..., KillablePeer]


@pytest.fixture(scope="package")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """As the supervisor starts it, for peers that are quick and many."""
    with running(RelayServer(home, "uvicorn", **LIMITS), office) as server:
        yield server


@pytest.fixture
def start(alice: Shop, tmp_path: Path) -> Iterator[Start]:
    """Starts servers of Alice's, each a process: `start({"calculator:add": {"idempotent": True}}, milliseconds=5)`."""
    made: list[KillablePeer] = []

    def start(functions: dict[str, Any], **arguments: Any) -> KillablePeer:
        log = tmp_path / f"server-{len(made)}"
        made.append(KillablePeer(alice, log, "server", functions=functions, **arguments))
        return made[-1]

    yield start
    for peer in made:
        peer.kill()


async def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.01)


def log_of(servers: list[KillablePeer], word: str, cmd: str) -> "Counter[str]":
    """How often all these servers began, finished or stopped each call of a function, by its number."""
    lines = (line.split() for server in servers for line in server.lines()[1:])
    return Counter(line[2] for line in lines if line[:2] == [word, cmd])


def assert_ran_at_most_once(servers: list[KillablePeer], cmd: str) -> None:
    twice = {number: times for number, times in log_of(servers, "began", cmd).items() if times > 1}
    assert not twice
