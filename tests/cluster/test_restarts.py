"""Every relay restarts under load behind nginx, and no call fails (fault 10): real SDKs, moved by `bye`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop
from tests.relay.contract.conftest import until
from tests.relay.contract.test_drain import Node

Programs = Callable[[str], Node]


@pytest.fixture
def programs(
    cluster: Cluster, alice: ClusterShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Programs]:
    """Starts programs with the SDKs of Node, which come through nginx."""
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(cluster.nginx.certificate.chain))
    made: list[Node] = []
    shop: Any = alice  # of its door, a program needs the address only

    def start(role: str) -> Node:
        made.append(Node(shop, tmp_path / f"node-{len(made)}", role))
        return made[-1]

    yield start
    for program in made:
        program.process.kill()
        program.process.wait(10)


async def test_a_rolling_restart_of_all_relays_fails_no_call(
    cluster: Cluster, alice: ClusterShop, programs: Programs
) -> None:
    servers = [programs("server"), programs("server")]
    for relay in cluster.relays:
        await alice.at(relay).sees_functions("once:add", seconds=20)
    callers = programs("callers")
    await until(lambda: len(callers.count("result")) > 100, "calls before")
    for relay in cluster.relays:
        await asyncio.to_thread(relay.restart)
        done = len(callers.count("result"))
        await until(lambda done=done: len(callers.count("result")) > done + 100, "calls after")  # type: ignore[misc]
    await callers.stop()
    outcomes = Counter(line[0] for line in callers.lines())
    began: Counter[str] = sum((server.count("began") for server in servers), Counter())
    assert set(outcomes) == {"connection", "result"}
    assert set(began.values()) == set(callers.count("result").values()) == {1}
    assert began.keys() == callers.count("result").keys()
    for program in (*servers, callers):
        assert not program.count("disconnect")
        assert program.count("connection")["true"] > 0  # the one that had them restarted
