"""Every call ends in exactly one outcome; the rules at the top of relay/core/calls.py."""

import pytest

from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project, Received


@pytest.fixture
def page(alice: Project) -> Peer:
    return alice.frontend()


@pytest.fixture
def server(alice: Project) -> Peer:
    return alice.backend("calculator:add")


def in_flight(page: Peer, server: Peer, call_id: str = "c1", **fields: object) -> Received:
    """A call that has reached its server."""
    page.calls("calculator:add", call_id, **fields)
    return server.assert_received("call", cmd="calculator:add")


def assert_nothing_in_flight(*projects: Project) -> None:
    """Rule 1: out of all tables, or of none."""
    for project in projects:
        assert project.tenant.calls.running == {}
        for connection in project.tenant.connections:
            assert (connection.calling, connection.serving) == ({}, {})
            assert all(seat.in_flight == 0 for seat in connection.seats.values())


# --- the way there and back -------------------------------------------------------------------------------------------


def test_a_call_is_answered_by_its_result(page: Peer, server: Peer, alice: Project) -> None:
    call = in_flight(page, server, data={"a": 5, "b": 3})
    assert (call["data"], call["timeout"]) == ({"a": 5, "b": 3}, 30_000)
    server.sends("result", id=call["id"], data={"result": 8})
    page.assert_received("result", id="c1", data={"result": 8})
    page.assert_silent()
    server.assert_silent()
    assert_nothing_in_flight(alice)


def test_a_result_without_data_is_null(page: Peer, server: Peer) -> None:
    server.sends("result", id=in_flight(page, server)["id"])
    assert page.assert_received("result", id="c1") == {"type": "result", "id": "c1", "data": None}


def test_a_reply_may_have_a_name(page: Peer, server: Peer) -> None:
    server.sends("result", id=in_flight(page, server)["id"], data=7, outcome="users.created")
    page.assert_received("result", id="c1", data=7, outcome="users.created")


def test_progress_comes_in_order_before_the_outcome(page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    for part in (1, 2, 3):
        server.sends("progress", id=call["id"], data=part)
    server.sends("result", id=call["id"], data="done")
    assert [(frame["type"], frame["data"]) for frame in page.inbox] == [
        ("progress", 1),
        ("progress", 2),
        ("progress", 3),
        ("result", "done"),
    ]


def test_calls_reach_their_server_in_order(page: Peer, server: Peer) -> None:
    for number in range(50):
        page.calls("calculator:add", f"c{number}", data=number)
    assert [frame["data"] for frame in server.inbox] == list(range(50))


def test_a_slow_call_does_not_hold_up_the_next(page: Peer, server: Peer) -> None:
    slow, fast = in_flight(page, server, "slow"), in_flight(page, server, "fast")
    server.sends("result", id=fast["id"], data=None)
    page.assert_received("result", id="fast")
    server.sends("result", id=slow["id"], data=None)
    page.assert_received("result", id="slow")


def test_an_id_may_be_used_again_after_its_outcome(page: Peer, server: Peer) -> None:
    first = in_flight(page, server)
    server.sends("result", id=first["id"], data=1)
    page.assert_received("result", id="c1", data=1)
    second = in_flight(page, server)
    assert second["id"] != first["id"]
    server.sends("result", id=second["id"], data=2)
    page.assert_received("result", id="c1", data=2)


def test_two_callers_may_use_the_same_id(alice: Project, page: Peer, server: Peer) -> None:
    other = alice.frontend()
    first, second = in_flight(page, server), in_flight(other, server)
    server.sends("result", id=second["id"], data="second")
    other.assert_received("result", id="c1", data="second")
    page.assert_silent()
    server.sends("result", id=first["id"], data="first")
    page.assert_received("result", id="c1", data="first")
    other.assert_silent()


def test_a_back_end_may_call_itself(server: Peer, alice: Project) -> None:
    call = in_flight(server, server)
    server.sends("result", id=call["id"], data="me")
    server.assert_received("result", id="c1", data="me")
    in_flight(server, server)
    server.leaves()
    assert alice.tenant.calls.running == {}


def test_a_send_reaches_the_function_and_nothing_comes_back(page: Peer, server: Peer) -> None:
    page.sends("send", cmd="calculator:add", data=[1])
    frame = server.assert_received("send", cmd="calculator:add", data=[1])
    assert "id" not in frame
    page.assert_silent()


def test_a_refused_send_is_a_notice(page: Peer) -> None:
    page.sends("send", cmd="nobody:home", data=1)
    page.assert_received("notice", code="no_such_function", about="nobody:home")


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["app_error", "rejected", "invalid_arguments", "payload_too_large"])
def test_a_callee_s_code_reaches_the_caller(page: Peer, server: Peer, code: str) -> None:
    server.sends("error", id=in_flight(page, server)["id"], code=code, message="No.", data={"field": "a"})
    page.assert_received("error", id="c1", code=code, message="No.", retryable=False, data={"field": "a"})


@pytest.mark.parametrize("code", ["quota_exceeded", "callee_lost", "unauthorized", "made_up", ""])
def test_any_other_code_of_a_callee_becomes_app_error(page: Peer, server: Peer, code: str) -> None:
    server.sends("error", id=in_flight(page, server)["id"], code=code, message="Pay me.", retryable=True)
    page.assert_received("error", id="c1", code="app_error", message="Pay me.", retryable=False)


def test_an_error_without_code_and_message_is_an_app_error_with_a_sentence(page: Peer, server: Peer) -> None:
    server.sends("error", id=in_flight(page, server)["id"])
    error = page.assert_received("error", id="c1", code="app_error")
    assert error["message"]
    assert "data" not in error


def test_an_error_s_message_is_cut_to_256_bytes_at_a_character(page: Peer, server: Peer) -> None:
    server.sends("error", id=in_flight(page, server)["id"], message="a" + "ü" * 500)
    assert page.assert_received("error")["message"] == "a" + "ü" * 127


def test_nobody_registered_the_name(page: Peer) -> None:
    page.calls("nobody:home")
    error = page.assert_received("error", id="c1", code="no_such_function", retryable=False)
    assert "nobody:home" in error["message"]


def test_a_result_too_large_for_its_caller_is_told_to_both() -> None:
    alice = CoreRelay(Limits(frame=1_000)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    server.sends("result", id=in_flight(page, server, "c" * 60)["id"], data="x" * 940)
    page.assert_received("error", id="c" * 60, code="payload_too_large", retryable=False)
    notice = server.assert_received("notice", code="payload_too_large", about="calculator:add")
    assert "1000 bytes" in notice["message"]
    assert_nothing_in_flight(alice)


@pytest.mark.parametrize("kind", ["result", "error"])
def test_an_answer_above_the_frame_limit_ends_the_call(kind: str) -> None:
    alice = CoreRelay(Limits(frame=1_000)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    server.sends(kind, id=in_flight(page, server)["id"], data="x" * 1_000)
    page.assert_received("error", id="c1", code="payload_too_large")
    server.assert_received("notice", code="payload_too_large")
    assert_nothing_in_flight(alice)


# --- only the callee answers (rule 2) ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["progress", "result", "error"])
def test_an_answer_from_somebody_else_is_dropped_and_counted(
    alice: Project, page: Peer, server: Peer, kind: str
) -> None:
    forgers = [alice.backend("calculator:add"), alice.frontend(), page]
    call = in_flight(page, server)
    for forger in forgers:
        forger.sends(kind, id=call["id"], data="forged")
        forger.assert_alive()
    page.assert_silent()
    assert alice.tenant.statistics.now == {"forged": 3}
    server.sends("result", id=call["id"], data="real")
    page.assert_received("result", data="real")


def test_an_answer_from_another_project_is_dropped(charlie: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    stranger = charlie.backend("calculator:add")
    stranger.sends("result", id=call["id"], data="forged")
    stranger.assert_alive()
    page.assert_silent()
    assert charlie.tenant.statistics.now == {"forged": 1}


@pytest.mark.parametrize("call_id", ["2", "0", "-1", "x", "c1", "²", "٣", "9" * 64])
def test_an_answer_to_a_call_that_never_was_is_forged(alice: Project, page: Peer, server: Peer, call_id: str) -> None:
    in_flight(page, server)
    server.sends("result", id=call_id, data=1)
    assert alice.tenant.statistics.now == {"forged": 1}
    server.assert_alive()


def test_a_second_answer_is_late(alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    for _ in range(3):
        server.sends("result", id=call["id"], data=1)
    page.assert_received("result")
    page.assert_alive()
    server.assert_alive()
    assert alice.tenant.statistics.now == {"result": 1, "late": 2}


# --- ids in flight (GP-52) --------------------------------------------------------------------------------------------


DUPLICATES: dict[str, dict[str, object]] = {
    "the same call again": {"cmd": "calculator:add", "data": 2},
    "of another function": {"cmd": "nobody:home"},
    "with a wrong field": {"cmd": "calculator:add", "timeout": 0},
    "without a command": {"data": 2},
    "too large": {"cmd": "calculator:add", "data": "x" * 1_000},
}


@pytest.mark.parametrize("fields", DUPLICATES.values(), ids=DUPLICATES)
def test_a_call_whose_id_is_in_flight_is_refused_by_a_notice_and_the_first_goes_on(fields: dict[str, object]) -> None:
    """An `error` with that id would be a second outcome of the first call."""
    alice = CoreRelay(Limits(frame=1_000)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    call = in_flight(page, server)
    page.sends("call", id="c1", **fields)
    notice = page.assert_received("notice", id="c1")
    assert notice["code"] in ("bad_frame", "payload_too_large")
    server.assert_silent()
    server.sends("result", id=call["id"], data="first")
    page.assert_received("result", id="c1", data="first")


def test_a_call_whose_id_is_in_flight_is_refused_by_a_notice_above_the_rate_too() -> None:
    alice = CoreRelay(Limits(rate=2)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    call = in_flight(page, server)
    for _ in range(3):
        page.sends("send", cmd="nobody:home")
        page.assert_received("notice", code="no_such_function")
    page.calls("calculator:add")
    page.assert_received("notice", code="rate_limited", id="c1")
    server.sends("result", id=call["id"], data="first")
    page.assert_received("result", id="c1", data="first")


# --- cancel and deadlines ---------------------------------------------------------------------------------------------


def test_cancel_ends_the_call_at_once_and_stops_the_callee(alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    page.sends("cancel", id="c1")
    page.assert_received("error", id="c1", code="cancelled", retryable=False)
    server.assert_received("cancel", id=call["id"])
    assert_nothing_in_flight(alice)


def test_a_cancel_that_crossed_with_the_outcome_is_passed_over(page: Peer, server: Peer) -> None:
    server.sends("result", id=in_flight(page, server)["id"], data=1)
    page.assert_received("result")
    page.sends("cancel", id="c1")
    page.assert_alive()
    server.assert_silent()


def test_nobody_cancels_another_s_call(alice: Project, page: Peer, server: Peer) -> None:
    in_flight(page, server)
    for other in (alice.frontend(), alice.backend()):
        other.sends("cancel", id="c1")
        other.assert_alive()
    page.assert_silent()
    server.assert_silent()


def test_a_late_answer_is_dropped_and_counted(alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    page.sends("cancel", id="c1")
    page.assert_received("error", code="cancelled")
    for kind in ("progress", "result", "error"):
        server.sends(kind, id=call["id"], data=1)
    page.assert_alive()
    assert alice.tenant.statistics.now == {"cancelled": 1, "late": 3}


@pytest.mark.parametrize("timeout", [1, 50, 200, 1_000, 20_000])
def test_a_call_ends_within_its_deadline_plus_250_ms(relay: CoreRelay, page: Peer, server: Peer, timeout: int) -> None:
    call = in_flight(page, server, timeout=timeout)
    assert call["timeout"] == timeout
    relay.leaps(timeout / 1000 - 0.001)
    page.assert_silent()
    relay.advances(0.25)
    page.assert_received("error", id="c1", code="deadline_exceeded", retryable=True)


def test_at_a_deadline_the_callee_gets_cancel(relay: CoreRelay, alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server, timeout=100)
    relay.advances(0.4)
    page.assert_received("error", code="deadline_exceeded")
    server.assert_received("cancel", id=call["id"])
    relay.advances(1)
    page.assert_silent()
    server.assert_silent()
    assert_nothing_in_flight(alice)


def test_an_answered_call_has_no_deadline_any_more(relay: CoreRelay, page: Peer, server: Peer) -> None:
    call = in_flight(page, server, timeout=100)
    server.sends("result", id=call["id"], data=1)
    page.assert_received("result")
    relay.advances(1)
    page.assert_silent()
    server.assert_silent()


def test_a_longer_timeout_is_cut_to_the_limit() -> None:
    alice = CoreRelay(Limits(timeout=500)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    assert in_flight(page, server, "c1", timeout=501)["timeout"] == 500
    assert in_flight(page, server, "c2")["timeout"] == 500
    assert in_flight(page, server, "c3", timeout=2**53)["timeout"] == 500


def test_many_calls_end_in_the_order_of_their_deadlines(relay: CoreRelay, page: Peer, server: Peer) -> None:
    for call_id, timeout in (("third", 900), ("first", 100), ("second", 500)):
        in_flight(page, server, call_id, timeout=timeout)
    relay.leaps(2)
    assert [frame["id"] for frame in page.inbox] == ["first", "second", "third"]


# --- whoever dies -----------------------------------------------------------------------------------------------------


def test_when_the_server_is_gone_its_calls_end_at_once(alice: Project, page: Peer, server: Peer) -> None:
    other = alice.frontend()
    for caller, call_id in ((page, "c1"), (page, "c2"), (other, "c1")):
        in_flight(caller, server, call_id)
    server.leaves()
    page.assert_received("error", id="c1", code="callee_lost", retryable=True)
    page.assert_received("error", id="c2", code="callee_lost")
    other.assert_received("error", id="c1", code="callee_lost")
    assert_nothing_in_flight(alice)


def test_a_lost_server_takes_no_other_server_s_calls_along(alice: Project, page: Peer, server: Peer) -> None:
    stays = alice.backend("calculator:add")
    in_flight(page, server, "c1")
    kept = in_flight(page, stays, "c2")
    server.leaves()
    page.assert_received("error", id="c1", code="callee_lost")
    stays.sends("result", id=kept["id"], data=1)
    page.assert_received("result", id="c2")


def test_when_the_caller_is_gone_the_callee_is_told_to_stop(alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    page.leaves()
    server.assert_received("cancel", id=call["id"])
    server.sends("result", id=call["id"], data=1)
    server.assert_alive()
    assert alice.tenant.statistics.now == {"caller_lost": 1, "late": 1}
    assert_nothing_in_flight(alice)


def test_a_caller_s_end_leaves_other_callers_alone(alice: Project, page: Peer, server: Peer) -> None:
    other = alice.frontend()
    in_flight(page, server)
    call = in_flight(other, server)
    page.leaves()
    server.assert_received("cancel")
    server.sends("result", id=call["id"], data=1)
    other.assert_received("result", id="c1")


# --- bounds, header, counts -------------------------------------------------------------------------------------------


def test_so_many_calls_are_in_flight_and_no_more() -> None:
    alice = CoreRelay(Limits(in_flight=2)).alice
    page, server = alice.frontend(), alice.backend("calculator:add")
    first = in_flight(page, server, "c1")
    in_flight(page, server, "c2")
    page.calls("calculator:add", "c3")
    page.assert_received("error", id="c3", code="rate_limited", retryable=True, retry_after=1_000)
    server.sends("result", id=first["id"], data=1)
    page.assert_received("result", id="c1")
    in_flight(page, server, "c4")


def test_the_header_says_who_calls(alice: Project, server: Peer) -> None:
    page = alice.frontend(ip="203.0.113.7", origin="https://shop.example", session="a session of Alice's")
    header = in_flight(page, server)["header"]
    assert header == {
        "session": "a session of Alice's",
        "connection": page.connection.id,
        "peer": "frontend",
        "ip": "203.0.113.7",
        "transport": "ws",
        "connected_at": "2025-11-21T12:00:00Z",
        "origin": "https://shop.example",
    }


@pytest.mark.parametrize("kind", ["call", "send"])
def test_the_header_cannot_be_forged(page: Peer, server: Peer, kind: str) -> None:
    forged = {"peer": "backend", "ip": "127.0.0.1", "user": {"admin": True}}
    page.sends(kind, id="c1", cmd="calculator:add", header=forged, data={"header": forged})
    frame = server.assert_received(kind, data={"header": forged})
    assert (frame["header"]["peer"], frame["header"]["ip"]) == ("frontend", "192.0.2.1")
    assert "user" not in frame["header"]
    assert "origin" not in frame["header"]
    assert server.raw[-1].count(b'"header":') == 2


def test_what_is_handed_over_is_counted_once(relay: CoreRelay, alice: Project, page: Peer, server: Peer) -> None:
    call = in_flight(page, server)
    server.sends("progress", id=call["id"], data=1)
    server.sends("result", id=call["id"], data=1)
    page.sends("send", cmd="calculator:add")
    server.assert_received("send")
    in_flight(page, server, "c2")
    page.sends("cancel", id="c2")
    assert relay.hub.take_counts() == {(alice.workspace_id, alice.id): 3}
    assert relay.hub.take_counts() == {}


def test_what_is_refused_is_not_counted(relay: CoreRelay, page: Peer, server: Peer) -> None:
    in_flight(page, server)
    relay.hub.take_counts()
    page.calls("calculator:add")
    page.calls("nobody:home", "c2")
    page.calls("calculator:add", "c3", timeout=0)
    page.calls("calculator:add", "c4", to={"session": "s" * 16})
    page.sends("send", cmd="nobody:home")
    page.sends("publish", channel="news")
    server.sends("result", id="77")
    assert relay.hub.take_counts() == {}


def test_a_caller_leaves_whose_calls_wait_for_each_other(relay: CoreRelay, alice: Project) -> None:
    """The end of the one that runs makes room for the one that waits, whose time is over."""
    page, server = alice.frontend(), alice.backend()
    server.offers("a:b", concurrency=1)
    for call in ("c1", "c2"):
        page.calls("a:b", call, timeout=200)
    call_id = server.assert_received("call")["id"]
    relay.now += 0.3
    page.leaves()
    server.assert_received("cancel", id=call_id)
    server.assert_silent()
    assert alice.tenant.statistics.last_hour() == {"caller_lost": 1, "server_busy": 1}
