"""Calls that wait: for a server with room (GP-15), or for one to come back (GP-16)."""

import pytest

from relay.core.calls import MOST_WAITING
from relay.core.functions import REMEMBERED
from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project

SETTLING = 10.0  # s


@pytest.fixture
def page(alice: Project) -> Peer:
    return alice.frontend()


@pytest.fixture
def server(alice: Project) -> Peer:
    """It takes one call at once."""
    return narrow(alice)


def narrow(project: Project) -> Peer:
    server = project.backend()
    server.offers("a:b", concurrency=1)
    return server


def known(project: Project) -> None:
    """The function was there, and its only server is lost."""
    project.backend("a:b").leaves()


def assert_nothing_waits(project: Project) -> None:
    assert project.tenant.calls.held.bytes == 0
    assert not any(function.waiting for function in project.tenant.functions.by_name.values())


# --- for room ---------------------------------------------------------------------------------------------------------


def test_a_server_runs_no_more_at_once_than_its_cap(alice: Project, page: Peer) -> None:
    server = alice.backend()
    server.offers("a:b", concurrency=3)
    for number in range(5):
        page.calls("a:b", f"c{number}", data=number)
    calls = [server.assert_received("call", data=number) for number in range(3)]
    server.assert_silent()
    server.sends("result", id=calls[1]["id"], data="room")
    page.assert_received("result", id="c1")
    server.assert_received("call", data=3)
    server.assert_silent()


def test_who_waits_is_served_first_come_first_served(alice: Project, page: Peer, server: Peer) -> None:
    other = alice.frontend()
    for number in range(6):
        (page if number % 2 else other).calls("a:b", f"c{number}", data=number)
    for number in range(6):
        server.answers(data=number)
    server.assert_silent()
    assert_nothing_waits(alice)


def test_a_caller_s_calls_stay_in_order(page: Peer, server: Peer) -> None:
    for number in range(50):
        page.calls("a:b", f"c{number}", data=number)
    for number in range(50):
        server.answers(data=number)
        page.assert_received("result", id=f"c{number}")


@pytest.mark.parametrize("end", ["error", "cancel", "caller lost", "deadline"])
def test_however_a_call_ends_the_next_one_takes_its_place(
    relay: CoreRelay, alice: Project, server: Peer, end: str
) -> None:
    first, second = alice.frontend(), alice.frontend()
    first.calls("a:b", timeout=500)
    call = server.assert_received("call")
    second.calls("a:b", data="next")
    match end:
        case "error":
            server.sends("error", id=call["id"])
        case "cancel":
            first.sends("cancel", id="c1")
        case "caller lost":
            first.leaves()
        case _:
            relay.advances(0.6)
    if end != "error":
        server.assert_received("cancel", id=call["id"])
    server.assert_received("call", data="next")


def test_a_new_server_takes_over_who_waits(alice: Project, page: Peer, server: Peer) -> None:
    for number in range(3):
        page.calls("a:b", f"c{number}", data=number)
    server.assert_received("call", data=0)
    new = narrow(alice)
    new.assert_received("call", data=1)
    new.assert_silent()
    server.assert_silent()


def test_a_larger_cap_lets_more_through_at_once(page: Peer, server: Peer) -> None:
    for number in range(4):
        page.calls("a:b", f"c{number}", data=number)
    server.assert_received("call", data=0)
    server.offers("a:b", concurrency=3)
    for number in (1, 2):
        server.assert_received("call", data=number)
    server.assert_silent()


def test_a_cap_may_be_taken_away(page: Peer, server: Peer) -> None:
    for number in range(9):
        page.calls("a:b", f"c{number}", data=number)
    server.sends("register", id="reg", functions=[{"name": "a:b"}])
    frames = [frame for frame in server.inbox if frame["type"] == "call"]
    assert [frame["data"] for frame in frames] == list(range(9))


def test_caps_are_per_server_and_function(alice: Project, page: Peer, server: Peer) -> None:
    server.offers("other:one", concurrency=1)
    second = narrow(alice)
    for cmd in ("a:b", "a:b", "other:one"):
        page.calls(cmd, f"{cmd}-{len(page.connection.calling)}")
    server.assert_received("call", cmd="a:b")
    second.assert_received("call", cmd="a:b")
    server.assert_received("call", cmd="other:one")


def test_a_send_does_not_wait(page: Peer, server: Peer) -> None:
    page.calls("a:b")
    server.assert_received("call")
    page.sends("send", cmd="a:b", data="now")
    server.assert_received("send", data="now")


def test_at_its_deadline_a_call_that_waits_for_room_ends_with_server_busy(
    relay: CoreRelay, alice: Project, page: Peer, server: Peer
) -> None:
    page.calls("a:b", "c1")
    server.assert_received("call")
    page.calls("a:b", "c2", timeout=500)
    relay.advances(0.45)
    page.assert_silent()
    relay.advances(0.25)
    page.assert_received("error", id="c2", code="server_busy", retryable=True)
    server.assert_silent()
    assert_nothing_waits(alice)


def test_whose_deadline_came_is_not_handed_over_any_more(relay: CoreRelay, page: Peer, server: Peer) -> None:
    """The call before it ends by the same tick, and makes room."""
    page.calls("a:b", "c1", timeout=500)
    server.assert_received("call")
    page.calls("a:b", "c2", timeout=500)
    relay.advances(0.7)
    page.assert_received("error", id="c1", code="deadline_exceeded")
    page.assert_received("error", id="c2", code="server_busy")
    server.assert_received("cancel")
    server.assert_silent()
    assert sum(relay.hub.take_counts().values()) == 1


def test_with_a_thousand_in_the_queue_a_call_ends_with_server_busy_at_once() -> None:
    alice = CoreRelay(Limits(in_flight=5_000, rate=10_000)).alice
    page, server = alice.frontend(), narrow(alice)
    for number in range(MOST_WAITING + 1):
        page.calls("a:b", f"c{number}")
    page.assert_silent()
    page.calls("a:b", "too many")
    page.assert_received("error", id="too many", code="server_busy", retryable=True)
    server.answers()
    page.assert_received("result", id="c0")
    page.calls("a:b", "fits again")
    page.assert_silent()


def test_the_queue_is_each_function_s_own() -> None:
    alice = CoreRelay(Limits(in_flight=5_000, rate=10_000)).alice
    page, server = alice.frontend(), narrow(alice)
    for number in range(MOST_WAITING + 2):
        page.calls("a:b", f"c{number}")
    page.assert_received("error", code="server_busy")
    server.assert_received("call")
    server.offers("other:one", concurrency=1)
    for number in range(2):
        page.calls("other:one", f"o{number}")
    page.assert_silent()


MIB = 1 << 20
PROJECT_BOUND = Limits(project_waiting_bytes=4 * MIB)
PROCESS_BOUND = Limits(process_waiting_bytes=4 * MIB, project_waiting_bytes=6 * MIB)


def runs_again(project: Project) -> Peer:
    """A server of an idempotent function."""
    server = project.backend()
    server.offers("a:b", idempotent=True)
    return server


@pytest.mark.parametrize("limits", [PROJECT_BOUND, PROCESS_BOUND], ids=["project", "process"])
def test_data_that_waits_is_bounded(limits: Limits) -> None:
    relay = CoreRelay(limits)
    page, server, data = relay.alice.frontend(), narrow(relay.alice), "x" * 1_000_000
    page.calls("a:b", "first")
    for number in range(4):
        page.calls("a:b", f"c{number}", data=data)
    page.assert_silent()
    page.calls("a:b", "too much", data=data)
    page.assert_received("error", id="too much", code="server_busy")
    page.calls("a:b", "small", data=1)
    page.assert_silent()
    known(relay.charlie)
    stranger = relay.charlie.frontend()
    stranger.calls("a:b", "large", data=data)
    if limits is PROCESS_BOUND:
        stranger.assert_received("error", code="server_busy")
    stranger.calls("a:b", "little", data="x" * 10_000)
    stranger.assert_silent()  # a project that holds little is not harmed by others
    page.leaves()
    server.leaves()
    relay.advances(6)
    assert relay.hub.waiting.bytes == relay.alice.tenant.calls.held.bytes == 0


@pytest.mark.parametrize("limits", [PROJECT_BOUND, PROCESS_BOUND], ids=["project", "process"])
def test_a_call_whose_data_cannot_be_held_runs_and_does_not_run_again(limits: Limits) -> None:
    relay = CoreRelay(limits)
    page, server = relay.alice.frontend(), runs_again(relay.alice)
    for number in range(6):
        page.calls("a:b", f"c{number}", data="x" * 1_000_000)
        server.assert_received("call")
    assert relay.hub.waiting.bytes <= 4 * MIB
    server.leaves()
    lost = [frame["id"] for frame in page.inbox if frame["code"] == "callee_lost"]
    assert lost == ["c4", "c5"]  # the others wait for another server
    page.leaves()
    assert relay.hub.waiting.bytes == 0


def test_who_follows_a_call_with_its_idempotency_key_holds_no_data(alice: Project, page: Peer) -> None:
    runs_again(alice)
    for number in range(100):
        page.calls("a:b", f"c{number}", data="x" * 1_000_000, idempotency_key="k")
    assert alice.tenant.calls.held.bytes < 2_000_000


def test_who_waits_is_gone_from_the_queue_when_cancelled_or_lost(alice: Project, server: Peer) -> None:
    first, second, third = (alice.frontend() for _ in range(3))
    for number, caller in enumerate((first, second, third, third)):
        caller.calls("a:b", f"c{number}", data=number)
    first_call = server.assert_received("call", data=0)
    second.sends("cancel", id="c1")
    second.assert_received("error", id="c1", code="cancelled")
    third.leaves()
    server.sends("result", id=first_call["id"])
    server.assert_silent()
    assert_nothing_waits(alice)


def test_what_waited_is_counted_when_it_is_handed_over(relay: CoreRelay, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    page.calls("a:b", "c3")
    assert sum(relay.hub.take_counts().values()) == 1
    server.answers()
    assert sum(relay.hub.take_counts().values()) == 1
    page.sends("cancel", id="c3")
    server.answers()
    assert relay.hub.take_counts() == {}


def test_the_time_left_is_told(relay: CoreRelay, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1")
    page.calls("a:b", "c2", timeout=3_000)
    relay.advances(1)
    server.sends("result", id=server.assert_received("call")["id"])
    assert 1_900 <= server.assert_received("call")["timeout"] <= 2_000


# --- for a server to come back ----------------------------------------------------------------------------------------


def test_a_call_is_held_until_the_server_is_back(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    page.calls("a:b", data=1)
    relay.advances(3)
    page.assert_silent()
    alice.backend("a:b").answers("after all", data=1)
    page.assert_received("result", id="c1", data="after all")
    assert_nothing_waits(alice)


def test_calls_held_are_handed_over_in_order(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    for number in range(20):
        page.calls("a:b", f"c{number}", data=number)
    back = alice.backend("a:b")
    assert [frame["data"] for frame in back.inbox] == list(range(20))


def test_when_no_server_comes_the_caller_is_told_in_time(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    page.calls("a:b")
    relay.advances(4.95)
    page.assert_silent()
    relay.advances(0.3)
    told = page.assert_received("error", id="c1", code="no_server_online", retryable=True)
    assert told["message"] == 'No server of "a:b" is connected now. Start its back end again.'
    assert_nothing_waits(alice)


def test_a_shorter_deadline_ends_the_hold(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    page.calls("a:b", timeout=1_000)
    relay.advances(0.95)
    page.assert_silent()
    relay.advances(0.25)
    page.assert_received("error", id="c1", code="no_server_online")


def test_a_project_may_hold_longer_shorter_or_not_at_all(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    alice.tenant.hold = 20.0
    page.calls("a:b", "long")
    alice.tenant.hold = 1.0
    page.calls("a:b", "short")
    alice.tenant.hold = 0.0
    page.calls("a:b", "none")
    relay.advances(0.1)
    page.assert_received("error", id="none", code="no_server_online")
    relay.advances(1)
    page.assert_received("error", id="short", code="no_server_online")
    relay.advances(18.7)
    page.assert_silent()
    relay.advances(0.3)
    page.assert_received("error", id="long", code="no_server_online")


def test_the_hold_of_the_admission_is_the_project_s(relay: CoreRelay) -> None:
    relay.charlie.hold = 2.0
    page = relay.charlie.frontend()
    known(relay.charlie)
    page.calls("a:b")
    relay.advances(2.2)
    page.assert_received("error", code="no_server_online")


def test_a_send_is_not_held(alice: Project, page: Peer) -> None:
    known(alice)
    page.sends("send", cmd="a:b")
    page.assert_received("notice", code="no_server_online", about="a:b")


def test_after_five_minutes_a_function_is_unknown(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    relay.leaps(REMEMBERED - 1)
    page.calls("a:b", "c1")
    page.assert_silent()
    relay.leaps(6)
    page.assert_received("error", id="c1", code="no_server_online")
    page.calls("a:b", "c2")
    page.assert_received("error", id="c2", code="no_such_function")
    relay.hub.sweep(relay.now)
    assert not alice.tenant.functions.by_name


def test_sweeping_forgets_no_function_that_is_waited_for(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    relay.leaps(REMEMBERED - 0.5)
    page.calls("a:b")
    relay.leaps(1)
    relay.hub.sweep(relay.now)
    alice.backend("a:b").answers()
    page.assert_received("result")


def test_a_name_nobody_registered_is_not_held(page: Peer) -> None:
    page.calls("nobody:home")
    page.assert_received("error", code="no_such_function")


def test_a_young_relay_holds_calls_of_any_name() -> None:
    relay = CoreRelay(settling=SETTLING)
    page = relay.alice.frontend()
    page.calls("a:b", "c1")
    relay.advances(3)
    page.assert_silent()
    relay.alice.backend("a:b").answers()
    page.assert_received("result", id="c1")


def test_a_young_relay_gives_up_in_time_and_remembers_no_name() -> None:
    relay = CoreRelay(settling=SETTLING)
    page = relay.alice.frontend()
    page.calls("a:b", "c1")
    relay.advances(5.2)
    page.assert_received("error", id="c1", code="no_server_online")
    relay.advances(SETTLING - 5)
    page.calls("a:b", "c2")
    page.assert_received("error", id="c2", code="no_such_function")
    relay.hub.sweep(relay.now)
    assert not relay.alice.tenant.functions.by_name


def test_a_function_taken_back_by_its_last_server_is_gone_at_once(alice: Project, page: Peer, server: Peer) -> None:
    for number in range(3):
        page.calls("a:b", f"c{number}")
    call = server.assert_received("call")
    server.unregisters("a:b")
    for number in (1, 2):
        page.assert_received("error", id=f"c{number}", code="no_such_function")
    page.calls("a:b", "c3")
    page.assert_received("error", id="c3", code="no_such_function")
    server.sends("result", id=call["id"])
    page.assert_received("result", id="c0")
    assert_nothing_waits(alice)


def test_a_function_taken_back_by_one_of_two_goes_on_at_the_other(alice: Project, page: Peer, server: Peer) -> None:
    other = narrow(alice)
    for number in range(3):
        page.calls("a:b", f"c{number}", data=number)
    server.assert_received("call", data=0)
    server.unregisters("a:b")
    other.answers(data=1)
    other.assert_received("call", data=2)


def test_when_the_last_server_is_lost_the_queue_is_held(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = narrow(alice)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2", data="waits")
    server.leaves()
    page.assert_received("error", id="c1", code="callee_lost")
    relay.advances(2)
    page.assert_silent()
    narrow(alice).answers(data="waits")
    page.assert_received("result", id="c2")


def test_when_the_last_server_is_lost_the_queue_of_what_may_run_twice_is_held(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    server = alice.backend()
    server.offers("a:b", idempotent=True, concurrency=1)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    server.leaves()
    relay.advances(5.2)
    assert {(frame["id"], frame["code"]) for frame in page.inbox} == {
        ("c1", "no_server_online"),
        ("c2", "no_server_online"),
    }


def test_a_held_call_waits_for_room_when_a_full_server_comes(relay: CoreRelay, alice: Project, page: Peer) -> None:
    known(alice)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    back = narrow(alice)
    call = back.assert_received("call")
    for _ in range(12):
        relay.advances(0.5)
        back.sends("pong")
    page.assert_silent()
    back.inbox.clear()
    back.sends("result", id=call["id"])
    page.assert_received("result", id="c1")
    back.answers()
    page.assert_received("result", id="c2")


# --- drained ----------------------------------------------------------------------------------------------------------


def test_a_server_that_drains_finishes_and_gets_nothing_new(alice: Project, page: Peer) -> None:
    leaves, stays = alice.backend("a:b"), alice.backend("a:b")
    page.calls("a:b", "c1")
    call = leaves.assert_received("call")
    leaves.drains()
    for number in range(4):
        page.calls("a:b", f"n{number}")
        stays.answers()
        page.assert_received("result", id=f"n{number}")
    leaves.sends("result", id=call["id"], data="finished")
    page.assert_received("result", id="c1", data="finished")
    leaves.assert_silent()


def test_when_the_last_server_drains_calls_are_held_for_the_next(alice: Project, page: Peer) -> None:
    old = alice.backend("a:b")
    old.drains()
    page.calls("a:b")
    page.assert_silent()
    old.leaves()
    page.assert_silent()
    alice.backend("a:b").answers()
    page.assert_received("result")


def test_when_the_last_server_drains_the_queue_is_held(relay: CoreRelay, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    call = server.assert_received("call")
    server.drains()
    server.sends("result", id=call["id"])
    page.assert_received("result", id="c1")
    server.assert_silent()
    relay.advances(5.2)
    page.assert_received("error", id="c2", code="no_server_online")


def test_a_drained_server_stays_drained_whatever_it_registers(alice: Project, page: Peer) -> None:
    server = alice.backend("a:b")
    server.drains()
    server.registers("c:d")
    for cmd in ("a:b", "c:d"):
        page.calls(cmd, cmd)
    page.assert_silent()
    server.assert_silent()


def test_a_drain_without_an_id_is_not_answered(alice: Project) -> None:
    server = alice.backend("a:b")
    server.sends("drain")
    server.assert_alive()
    assert server.connection.draining


def test_a_front_end_does_not_drain(page: Peer) -> None:
    page.sends("drain", id="d1")
    page.assert_received("error", id="d1", code="forbidden")
