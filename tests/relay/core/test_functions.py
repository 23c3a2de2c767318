"""Registering functions, and which server a call goes to (GP-15, GP-54, GP-58)."""

from collections import Counter

import pytest

from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project, Received


def calls_go_to(page: Peer, servers: list[Peer], count: int) -> str:
    """Make calls that nobody answers; which server each of them reached."""
    reached = ""
    for number in range(count):
        page.calls("a:b", call_id=f"{page.connection.id}-{number}-{len(page.connection.calling)}")
        reached += "".join(str(index) for index, server in enumerate(servers) if server.inbox and server.receives())
    return reached


def answers(server: Peer, call: Received) -> None:
    server.sends("result", id=call["id"], data=None)


def test_calls_go_round_between_idle_servers(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b") for _ in range(3)]
    for number in range(9):
        page.calls("a:b")
        server = servers[number % 3]
        answers(server, server.assert_received("call"))
        page.assert_received("result")


def test_unanswered_calls_spread_evenly(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b") for _ in range(3)]
    assert Counter(calls_go_to(page, servers, 30)) == {"0": 10, "1": 10, "2": 10}


def test_a_call_goes_to_the_server_with_the_least_in_flight(alice: Project) -> None:
    page, busy = alice.frontend(), alice.backend("a:b")
    assert calls_go_to(page, [busy], 3) == "000"
    idle = alice.backend("a:b")
    assert calls_go_to(page, [busy, idle], 3) == "111"


def test_an_answer_makes_room(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b"), alice.backend("a:b")]
    for call_id in ("c1", "c2", "c3"):
        page.calls("a:b", call_id)
    first, second = servers[0].assert_received("call"), servers[1].assert_received("call")
    servers[0].assert_received("call")
    answers(servers[1], second)
    page.calls("a:b", "c4")
    servers[1].assert_received("call")
    servers[0].assert_silent()
    assert first["id"] != second["id"]


def test_ties_go_to_the_server_that_waited_longest(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b") for _ in range(3)]
    page.calls("a:b", "c1")
    held = servers[0].assert_received("call")
    for expected in (1, 2, 1, 2):
        page.calls("a:b", "c2")
        answers(servers[expected], servers[expected].assert_received("call"))
        page.assert_received("result")
    answers(servers[0], held)
    page.calls("a:b", "c3")
    servers[0].assert_received("call")


def test_load_is_counted_per_function(alice: Project) -> None:
    """A server that is busy with one function is idle for another (GP-54)."""
    page, first = alice.frontend(), alice.backend("slow:one", "a:b")
    second = alice.backend("a:b")
    page.calls("slow:one", "s1")
    first.assert_received("call", cmd="slow:one")
    page.calls("a:b", "c1")
    first.assert_received("call", cmd="a:b")
    second.assert_silent()


def test_sends_take_turns_too(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b"), alice.backend("a:b")]
    for number in range(4):
        page.sends("send", cmd="a:b", data=number)
    assert [frame["data"] for frame in servers[0].inbox] == [0, 2]
    assert [frame["data"] for frame in servers[1].inbox] == [1, 3]


def test_a_new_server_takes_part_at_once(alice: Project) -> None:
    page, old = alice.frontend(), alice.backend("a:b")
    new = alice.backend("a:b")
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    assert len(old.inbox) == len(new.inbox) == 1


def test_a_server_that_is_gone_has_left_the_rotation(alice: Project) -> None:
    page, gone, stays = alice.frontend(), alice.backend("a:b"), alice.backend("a:b")
    gone.leaves()
    assert calls_go_to(page, [gone, stays], 4) == "1111"


def test_registering_again_changes_nothing(alice: Project) -> None:
    page, servers = alice.frontend(), [alice.backend("a:b"), alice.backend("a:b")]
    assert calls_go_to(page, servers, 1) == "0"
    servers[0].registers("a:b", "a:b")
    assert calls_go_to(page, servers, 1) == "1"
    assert calls_go_to(page, servers, 2) in ("01", "10")


def test_unregistering_leaves_the_calls_in_flight(alice: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    page.calls("a:b")
    call = server.assert_received("call")
    server.sends("unregister", id="u1", functions=[{"name": "a:b"}, {"name": "never:there"}])
    server.assert_received("result", id="u1", data={})
    page.calls("a:b", "c2")
    page.assert_received("error", id="c2", code="no_such_function")
    answers(server, call)
    page.assert_received("result", id="c1")


def test_one_server_s_unregistering_leaves_the_other(alice: Project) -> None:
    page, leaves, stays = alice.frontend(), alice.backend("a:b"), alice.backend("a:b")
    leaves.sends("unregister", id="u1", functions=[{"name": "a:b"}])
    leaves.assert_received("result")
    assert calls_go_to(page, [leaves, stays], 2) == "11"


WRONG = {
    "a control character": [{"name": "a\u0001b"}],
    "an empty name": [{"name": ""}],
    "an unknown policy": [{"name": "x:y", "policy": "best"}],
    "room for nothing": [{"name": "x:y", "concurrency": 0}],
    "no object": ["x:y"],
    "a description that is no text": [{"name": "x:y", "description": 5}],
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_registering_is_all_or_nothing(alice: Project, wrong: list[object]) -> None:
    page, server = alice.frontend(), alice.backend("old:one")
    server.sends("register", id="r1", functions=[{"name": "good:one"}, *wrong])
    server.assert_received("error", id="r1", code="bad_frame")
    page.calls("good:one")
    page.assert_received("error", code="no_such_function")
    page.calls("old:one")
    server.assert_received("call")


def test_above_the_limit_nothing_is_registered() -> None:
    alice = CoreRelay(Limits(functions=3)).alice
    server = alice.backend("a:1", "a:2")
    server.sends("register", id="r1", functions=[{"name": "a:3"}, {"name": "a:4"}])
    refused = server.assert_received("error", id="r1", code="bad_frame")
    assert "3 functions" in refused["message"]
    assert sorted(alice.tenant.functions.by_name) == ["a:1", "a:2"]
    server.registers("a:2", "a:3")


def test_unknown_fields_of_a_function_are_passed_over(alice: Project) -> None:
    server = alice.backend()
    spec = {"name": "a:b", "description": "adds", "input": {"type": "object"}, "output": {}, "idempotent": True}
    server.sends("register", id="r1", functions=[spec])
    server.assert_received("result", id="r1", data={})


@pytest.mark.parametrize("kind", ["register", "unregister"])
def test_a_front_end_registers_nothing(alice: Project, kind: str) -> None:
    page = alice.frontend()
    page.sends(kind, id="r1", functions=[{"name": "a:b"}])
    page.assert_received("error", id="r1", code="forbidden", retryable=False)
    assert not alice.tenant.functions.by_name


def test_another_project_s_function_of_the_same_name_is_not_reached(alice: Project, charlie: Project) -> None:
    stranger, page = charlie.backend("a:b"), alice.frontend()
    page.calls("a:b")
    page.assert_received("error", code="no_such_function")
    stranger.assert_silent()


def test_a_project_registers_so_many_bytes_of_names_and_no_more() -> None:
    relay = CoreRelay(Limits(function_bytes=100))
    one, other = relay.alice.backend(), relay.alice.backend()
    one.offers("n" * 30, description="d" * 30)
    for server in (one, other):
        server.sends("register", id="more", functions=[{"name": "more"}, {"name": "ü" * 19}])
        server.assert_received("error", id="more", code="rate_limited", retryable=True, retry_after=10_000)
    assert set(relay.alice.tenant.functions.by_name) == {"n" * 30}
    other.registers("ü" * 20)
    one.offers("n" * 30)
    other.registers("m" * 30, "m" * 30)
    relay.charlie.backend("n" * 60)
    one.sends("register", id="more", functions=[{"name": "x"}])
    one.assert_received("error", id="more", code="rate_limited")
    other.unregisters("m" * 30)
    one.registers("x" * 30)
    other.leaves()
    one.registers("y" * 40)
    one.leaves()
    assert relay.alice.tenant.functions.bytes == 0


def test_who_has_used_up_the_bytes_may_still_register_shorter_descriptions() -> None:
    relay = CoreRelay(Limits(function_bytes=100))
    server = relay.alice.backend()
    server.offers("n" * 30, description="d" * 70)
    server.offers("n" * 30, description="d" * 70)
    server.offers("n" * 30, description="d" * 60)
    server.offers("o" * 10)
