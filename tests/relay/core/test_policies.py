"""Which of three servers a call goes to, by the function's policy (GP-15)."""

import random
from collections import Counter

import pytest

from tests.relay.core.cast import CoreRelay, Peer, Project

NAMES = ["first", "second", "third"]


def servers_with(alice: Project, **options: object) -> list[Peer]:
    """Three servers of one function, registered in this order."""
    servers = [alice.backend(name=name) for name in NAMES]
    for server in servers:
        server.offers("a:b", **options)
    return servers


def reached(page: Peer, servers: list[Peer], calls: int, *, answered: bool = True) -> list[str]:
    """Make calls one after the other; the names of the servers they reached."""
    names = []
    for number in range(calls):
        page.calls("a:b", f"{len(page.connection.calling)}-{number}")
        server = next(server for server in servers if server.inbox)
        names.append(server.connection.name)
        call = server.assert_received("call")
        if answered:
            server.sends("result", id=call["id"])
            page.assert_received("result")
    return names


@pytest.mark.parametrize("policy", [None, "least_in_flight", "round_robin"])
def test_idle_servers_take_turns(alice: Project, policy: str | None) -> None:
    options = {"policy": policy} if policy else {}
    assert reached(alice.frontend(), servers_with(alice, **options), 6) == NAMES * 2


def test_by_default_a_busy_server_gets_less(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice)
    assert reached(page, servers, 1, answered=False) == ["first"]
    assert reached(page, servers, 4) == ["second", "third", "second", "third"]


def test_round_robin_goes_round_however_busy_a_server_is(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy="round_robin")
    assert reached(page, servers, 1, answered=False) == ["first"]
    assert reached(page, servers, 5) == ["second", "third", "first", "second", "third"]


def test_first_is_the_one_that_registered_longest_ago(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy="first")
    assert reached(page, servers, 3, answered=False) == ["first"] * 3
    servers[0].leaves()
    for _ in range(3):
        page.assert_received("error", code="callee_lost")
    assert reached(page, servers[1:], 2) == ["second"] * 2
    back = alice.backend(name="first")
    back.offers("a:b", policy="first")
    assert reached(page, [back, *servers[1:]], 2) == ["second"] * 2


def test_first_passes_over_a_server_that_is_full(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy="first", concurrency=2)
    assert reached(page, servers, 5, answered=False) == ["first", "first", "second", "second", "third"]


def test_random_chooses_among_all() -> None:
    chance = random.Random(7)  # noqa: S311
    alice = CoreRelay(choose=chance.randrange).alice
    page, servers = alice.frontend(), servers_with(alice, policy="random")
    counts = Counter(reached(page, servers, 600))
    assert min(counts[name] for name in NAMES) > 150


def test_random_asks_for_a_number_below_how_many_have_room() -> None:
    asked: list[int] = []
    alice = CoreRelay(choose=lambda below: asked.append(below) or below - 1).alice  # type: ignore[func-returns-value]
    page, servers = alice.frontend(), servers_with(alice, policy="random", concurrency=1)
    assert reached(page, servers, 3, answered=False) == ["third", "second", "first"]
    assert asked == [3, 2]


def test_the_latest_registration_s_policy_holds(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy="first")
    assert reached(page, servers, 2) == ["first", "first"]
    servers[2].offers("a:b", policy="round_robin")
    assert reached(page, servers, 3) == ["second", "third", "first"]
    servers[1].offers("a:b", policy="first")
    assert reached(page, servers, 2) == ["first", "first"]


def test_sends_go_by_the_policy_and_to_full_servers_too(alice: Project) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy="first", concurrency=1)
    assert reached(page, servers, 3, answered=False) == NAMES
    page.sends("send", cmd="a:b", data=1)
    servers[0].assert_received("send", data=1)


@pytest.mark.parametrize("policy", ["least_in_flight", "round_robin", "random", "first"])
def test_every_policy_passes_over_those_that_drain(alice: Project, policy: str) -> None:
    page, servers = alice.frontend(), servers_with(alice, policy=policy)
    servers[0].drains()
    servers[1].drains()
    assert reached(page, servers, 3) == ["third"] * 3
