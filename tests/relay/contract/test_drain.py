"""A relay process ends on purpose: its peers move to another one, and no call fails (GP-6)."""

import asyncio
import contextlib
import copy
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from relay.processes import running as running_processes
from tests.relay.conftest import running
from tests.relay.contract.conftest import LIMITS, until
from tests.relay.harness.family import child
from tests.relay.harness.home import BASE, Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, http

SDKS = BASE / "sdks"
PROGRAMS = Path(__file__).parent
FRONT_ENDS = ("callers", "subscribers")  # programs with the public key
GRACE = 2.5  # s that uvicorn's own end takes, at most


class Serving(RelayServer):
    """As in production: it drains."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gluer_site.serve", "--fd", str(self.listener.fileno())]

    @property
    def is_registered(self) -> bool:
        return self.process.pid in running_processes(self.home.folder / "run")

    def successor(self) -> "Serving":
        """Another process that accepts from the same socket."""
        other = copy.copy(self)
        other.start()
        return other

    def drain(self) -> float:
        """SIGTERM. Returns when, as time.monotonic does."""
        self.process.terminate()
        return time.monotonic()

    async def ended(self, seconds: float) -> None:
        await until(lambda: self.process.poll() is not None, "the end of the process", seconds)


@pytest.fixture
def relay(home: Home, office: Office) -> Iterator[Serving]:
    server = Serving(home, "uvicorn", settling=10, **LIMITS)
    with running(server, office):
        yield server


@pytest.fixture
async def alice(relay: Serving, office: Office) -> AsyncIterator[Shop]:
    shop = Shop.open(relay, office, "Alice")
    yield shop
    await shop.close()


async def announced(peer: Peer) -> int:
    """The `after` of the early `bye`."""
    bye = await peer.assert_received("bye", code="restarting", reconnect=True)
    after: int = bye["after"]
    return after


async def all_of(peer: Peer) -> list[Frame]:
    """Everything until the end of the connection, however long nothing comes."""
    frames = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            frames.append(await peer.receive_some_time())
    return frames


# --- restarts ---------------------------------------------------------------------------------------------------------


class Node:
    """A program of drain_programs.cjs, and what it printed."""

    def __init__(self, shop: Shop, log: Path, role: str) -> None:
        self.log = log
        key = shop.public if role in FRONT_ENDS else shop.private
        environment = os.environ | {"KEY": key, "GLUER_URL": shop.relay.ws.removesuffix("/v1/ws"), "SDKS": str(SDKS)}
        with open(log, "wb") as output:
            command = ["node", str(PROGRAMS / "drain_programs.cjs"), role]
            self.process = child(command, env=environment, stdout=output)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().split("\n")[:-1]]

    def count(self, word: str) -> Counter[str]:
        return Counter(line[1] for line in self.lines() if line[0] == word)

    async def stop(self) -> None:
        self.process.terminate()
        await until(lambda: self.process.poll() is not None, "the program's end")


@pytest.fixture
def node(alice: Shop, tmp_path: Path) -> Iterator[Any]:
    """Starts programs with the SDKs of Node."""
    made: list[Node] = []

    def start(role: str) -> Node:
        made.append(Node(alice, tmp_path / f"node-{len(made)}", role))
        return made[-1]

    yield start
    for program in made:
        program.process.kill()
        program.process.wait(10)


async def test_a_restart_of_the_only_relay_under_load_fails_no_call(relay: Serving, node: Any) -> None:
    """Over SQLite, so the old process and the new one know nothing of each other."""
    servers, callers = [node("server"), node("server")], node("callers")
    await until(lambda: len(callers.count("result")) > 200, "calls before")
    process = relay
    for _ in range(2):
        old, process = process, process.successor()
        try:
            await until(lambda process=process: process.is_registered, "the new process")  # type: ignore[misc]
            old.drain()
            await old.ended(15)  # not only because its time is over
            done = len(callers.count("result"))
            await until(lambda done=done: len(callers.count("result")) > done + 200, "calls after")  # type: ignore[misc]
        finally:
            relay.process = process.process  # the one to stop
    await callers.stop()
    outcomes = Counter(line[0] for line in callers.lines())
    began: Counter[str] = sum((server.count("began") for server in servers), Counter())
    assert set(outcomes) == {"connection", "result"}
    assert outcomes["connection"] == 3 * 3  # three callers: each connected once and moved twice
    assert set(began.values()) == set(callers.count("result").values()) == {1}
    assert began.keys() == callers.count("result").keys()
    for server in servers:
        assert server.count("connection") == {"false": 1, "true": 2}
        assert not server.count("disconnect")


async def test_servers_are_asked_to_move_before_their_callers_and_all_within_five_seconds(
    relay: Serving, alice: Shop
) -> None:
    front_ends = [await alice.frontend() for _ in range(3)]
    server = await alice.backend("a")
    relay.drain()
    assert [await announced(peer) for peer in [server, *front_ends]] == pytest.approx([0, 1250, 2500, 3750], abs=5)


async def test_who_comes_while_it_still_listens_is_asked_to_move_too(relay: Serving, alice: Shop) -> None:
    server = await alice.backend("a")
    relay.drain()
    late = await alice.frontend()
    assert await announced(server) == 0
    assert await announced(late) <= 5_000


async def test_a_call_of_three_seconds_is_answered(relay: Serving, alice: Shop) -> None:
    """By and for peers that do not know what an early `bye` is."""
    caller, callee = await alice.frontend(), await alice.backend("slow")
    await caller.send("call", id="1", cmd="slow")
    call = await callee.assert_received("call")
    began = relay.drain()
    await announced(callee)
    await announced(caller)
    await until(lambda: time.monotonic() > began + 3, "three seconds")
    await callee.send("result", id=call["id"], data=3)
    await caller.assert_received("result", id="1", data=3)
    await caller.send("call", id="2", cmd="slow")
    call = await callee.assert_received("call")  # who stays is served
    await callee.send("result", id=call["id"], data=4)
    await caller.assert_received("result", id="2", data=4)
    await caller.close()
    await callee.assert_closed(1012, code="restarting", reconnect=True)
    await relay.ended(10)
    assert time.monotonic() - began < 10


async def test_calls_that_take_longer_than_twenty_seconds_end_with_the_process(relay: Serving, alice: Shop) -> None:
    caller, callee = await alice.frontend(), await alice.backend("slow")
    await caller.send("call", id="1", cmd="slow", timeout=60_000)
    await callee.assert_received("call")
    asked = asyncio.create_task(alice.post("/v1/call/slow", headers={"Gluer-Timeout": "60000"}, timeout=60))
    await callee.assert_received("call")
    began = relay.drain()
    told, _ = await asyncio.gather(all_of(caller), all_of(callee))
    assert 19 < time.monotonic() - began < 23
    assert caller.close_code == 1012
    assert [frame["type"] for frame in told] == ["bye", "bye"]  # of its call its SDK says: connection_lost
    answer = await asked
    assert (answer.status_code, answer.json()["code"]) == (502, "callee_lost")
    await relay.ended(GRACE)


async def test_servers_leave_the_rotation_when_callers_have_had_their_time(relay: Serving, alice: Shop) -> None:
    caller, server = await alice.frontend(), await alice.backend("a")
    began = relay.drain()
    await announced(caller)
    served = asyncio.create_task(all_of(server))
    await until(lambda: time.monotonic() > began + 17, "17 seconds")
    await caller.send("call", id="1", cmd="a", timeout=1_000)
    await caller.assert_received("error", id="1", code="no_server_online")
    await caller.close()
    assert [frame["type"] for frame in await served] == ["bye", "bye"]


async def test_a_second_sigterm_ends_it_at_once_and_counts_are_written(relay: Serving, alice: Shop) -> None:
    caller, _ = await alice.frontend(), await alice.calculator()
    for number in range(10):
        assert (await caller.call("calculator:add", {"a": 1, "b": 2}, id=str(number)))["data"] == {"result": 3}
    began = relay.drain()
    await announced(caller)
    relay.drain()
    await relay.ended(GRACE)
    assert time.monotonic() - began < 1.5 + GRACE
    assert alice.office.ask("project_used", id=alice.id) == 10
    await caller.assert_closed(1012)


async def test_a_reader_that_does_not_read_holds_up_nobody(relay: Serving, alice: Shop) -> None:
    slow = await (await alice.socket(max_queue=1)).hello(key=alice.public)
    await slow.subscribe("news")
    publisher = await alice.backend()
    slow.socket.transport.pause_reading()
    for number in range(12):
        await publisher.send("publish", id=str(number), channel="news", data="x" * 500_000)
        await publisher.assert_received("result", id=str(number))
    began = relay.drain()
    await announced(publisher)
    await relay.ended(15)
    assert time.monotonic() - began < 15


async def test_a_subscriber_by_http_is_told_and_ended_at_its_turn(relay: Serving, alice: Shop) -> None:
    async with http() as client:
        url, headers = f"{relay.http}/v1/channels?channel=news", {"Authorization": f"Bearer {alice.public}"}
        async with client.stream("GET", url, headers=headers) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: result"
            began = relay.drain()
            rest = [line async for line in lines]
    assert "event: bye" in rest
    assert time.monotonic() - began < 8
    await relay.ended(10)


async def test_idle_http_connections_end_and_calls_on_others_are_answered(relay: Serving, alice: Shop) -> None:
    callee = await alice.backend("slow")
    asked = asyncio.create_task(alice.post("/v1/call/slow"))
    call = await callee.assert_received("call")
    idle = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    idle.sendall(b"OPTIONS /v1/call/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.recv(65_536).startswith(b"HTTP/1.1 204")
    relay.drain()
    await announced(callee)
    assert await asyncio.to_thread(idle.recv, 1) == b""
    idle.close()
    await callee.send("result", id=call["id"], data=1)
    assert (await asked).json() == {"data": 1}


# --- manage.py drain --------------------------------------------------------------------------------------------------


def drain(relay: Serving, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "drain", *arguments]
    environment = relay.home.environment()
    return subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("shown", ["id", "name"])
def test_manage_py_drains_one_process_and_reports_its_end(relay: Serving, shown: str) -> None:
    pid = str(relay.process.pid)
    [file] = (relay.home.folder / "run").glob(f"*-{pid}")
    done = drain(relay, "--process", pid if shown == "id" else file.name)
    assert (done.returncode, done.stdout) == (0, f"Draining: {pid}.\nAll have ended.\n")
    assert relay.process.wait(5) == -signal.SIGTERM
    assert not relay.is_registered


def test_manage_py_refuses_a_process_that_is_no_relay(relay: Serving) -> None:
    done = drain(relay, "--process", str(os.getpid()))
    assert done.returncode == 1
    assert f"Process {os.getpid()} is no relay process" in done.stderr
    assert str(relay.process.pid) in done.stderr
    assert relay.process.poll() is None


def test_a_killed_process_is_forgotten(relay: Serving) -> None:
    relay.kill()
    assert list((relay.home.folder / "run").glob(f"*-{relay.process.pid}"))
    assert not relay.is_registered
    assert not list((relay.home.folder / "run").glob(f"*-{relay.process.pid}"))
