"""Servers that owe an answer and are silent: asked, suspect, gone (GP-13); what may run twice moves on (GP-11)."""

from typing import Any

import pytest

from tests.relay.core.cast import CoreRelay, Peer, Project, Received, is_open


@pytest.fixture
def page(alice: Project) -> Peer:
    return alice.frontend()


def server_with(alice: Project, name: str = "a:b", **options: object) -> Peer:
    server = alice.backend()
    server.offers(name, **options)
    return server


def silent(relay: CoreRelay, page: Peer, server: Peer, data: object = None) -> Received:
    """The server is a suspect: it got this call two seconds ago, and a ping in between."""
    page.calls("a:b", data=data)
    call = server.assert_received("call")
    relay.advances(2.1)
    server.assert_received("ping")
    assert server.connection.suspect_since
    return call


# --- thresholds -------------------------------------------------------------------------------------------------------


def test_who_owes_an_answer_and_is_silent_for_a_second_is_asked(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b")
    server.assert_received("call")
    relay.advances(0.95)
    server.assert_silent()
    relay.advances(0.15)
    server.assert_received("ping")
    assert not server.connection.suspect_since


def test_nothing_for_another_second_makes_it_a_suspect(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice), server_with(alice)
    page.calls("a:b", "c1")
    server.assert_received("call")
    relay.advances(1.9)
    assert not server.connection.suspect_since
    relay.advances(0.2)
    assert server.connection.suspect_since
    for number in range(4):
        page.calls("a:b", f"n{number}")
        other.answers()


def test_nothing_for_five_seconds_more_and_it_is_gone(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    silent(relay, page, server)
    relay.advances(4.8)
    page.assert_silent()
    assert is_open(server)
    relay.advances(0.25)
    page.assert_received("error", id="c1", code="callee_lost", retryable=True)
    server.assert_closed(4409)
    assert not relay.hub.suspects.watched


def test_callers_of_a_silent_server_know_within_seven_and_a_half_seconds(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    server_with(alice)
    page.calls("a:b")
    start = relay.now
    while not page.inbox:
        relay.advances(0.05)
    page.assert_received("error", code="callee_lost")
    assert relay.now - start <= 7.5


@pytest.mark.parametrize("frame", ["pong", "ping", "progress", "result", "nonsense"])
@pytest.mark.parametrize("after", [0.5, 1.5, 2.5, 6.5])
def test_any_frame_clears_it(relay: CoreRelay, alice: Project, page: Peer, frame: str, after: float) -> None:
    server = server_with(alice)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    call = server.assert_received("call")
    relay.advances(after)
    server.sends(frame, id=call["id"])
    assert not server.connection.suspect_since
    server.inbox.clear()
    page.calls("a:b", "c3")
    server.assert_received("call")
    relay.advances(0.9)
    assert is_open(server)
    server.assert_silent()


def test_a_server_that_answers_its_pings_may_take_as_long_as_it_likes(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    """A function that waits for 20 s does not keep its server from answering a ping."""
    server = server_with(alice)
    page.calls("a:b", timeout=60_000)
    call = server.assert_received("call")
    for _ in range(400):
        relay.advances(0.05)
        if server.inbox:
            server.assert_received("ping")
            relay.now += 0.001
            server.sends("pong")
        assert not server.connection.suspect_since
    server.sends("result", id=call["id"], data="slow")
    page.assert_received("result", data="slow")


def test_a_server_that_owes_nothing_is_not_asked(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b")
    server.answers()
    page.sends("send", cmd="a:b")
    server.assert_received("send")
    relay.advances(9)
    server.assert_silent()
    assert not relay.hub.suspects.watched


def test_the_second_starts_with_the_first_call_it_owes(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    relay.advances(8)
    page.calls("a:b")
    server.assert_received("call")
    relay.advances(0.9)
    server.assert_silent()


def test_a_ping_from_before_the_last_answer_counts_for_nothing(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b", "c1")
    call = server.assert_received("call")
    relay.advances(1.1)
    server.assert_received("ping")
    server.sends("result", id=call["id"])
    page.calls("a:b", "c2")
    server.assert_received("call")
    relay.advances(0.95)
    assert not server.connection.suspect_since
    server.assert_silent()


def test_front_ends_are_never_suspect(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = alice.backend()
    server.sends("call", id="c1", cmd="show", to={"connection": page.connection.id}, timeout=20_000)
    page.assert_received("call")
    relay.advances(9)
    page.assert_silent()
    assert not relay.hub.suspects.watched
    server.assert_silent()


# --- what becomes of its calls ----------------------------------------------------------------------------------------


def test_a_call_that_may_run_twice_goes_to_another_server(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice, idempotent=True), server_with(alice, idempotent=True)
    page.calls("a:b", data={"n": 1})
    call = server.assert_received("call", data={"n": 1})
    relay.advances(2.1)
    server.assert_received("ping")
    server.assert_received("cancel", id=call["id"])
    again = other.assert_received("call", data={"n": 1})
    assert again["id"] != call["id"]
    assert 27_800 <= again["timeout"] <= 28_000
    server.sends("result", id=call["id"], data="late")
    page.assert_silent()
    other.sends("result", id=again["id"], data="other")
    page.assert_received("result", id="c1", data="other")
    assert relay.hub.take_counts() == {(1, alice.id): 1}
    assert alice.tenant.statistics.now == {"suspected": 1, "rerouted": 1, "late": 1, "result": 1}


def test_a_call_moves_on_twice_when_both_its_servers_are_suspected_at_once(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    """Found by test_lifetimes.py, whose watcher took the second hand-over for the first."""
    options: dict[str, Any] = {"idempotent": True, "policy": "first"}
    silent_ones = [server_with(alice, **options, concurrency=1), server_with(alice, **options)]
    last = server_with(alice, **options)
    for number in (1, 2):
        page.calls("a:b", f"c{number}", data=number)
    relay.advances(2.1)
    seen = [[(frame["type"], frame.get("data")) for frame in server.inbox] for server in silent_ones]
    assert seen == [
        [("call", 1), ("ping", None), ("cancel", None)],
        [("call", 2), ("ping", None), ("call", 1), ("cancel", None), ("cancel", None)],
    ]
    assert [last.answers()["data"] for _ in range(2)] == [2, 1]
    assert relay.hub.take_counts() == {(1, alice.id): 2}


def test_a_call_that_may_not_run_twice_stays(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice), server_with(alice)
    call = silent(relay, page, server)
    other.assert_silent()
    relay.advances(3)
    server.sends("result", id=call["id"], data="the only one")
    page.assert_received("result", data="the only one")
    other.assert_silent()


def test_a_suspect_gets_its_own_call_back_when_there_is_nobody_else(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    server = server_with(alice, idempotent=True)
    silent(relay, page, server, data=1)
    server.assert_received("cancel")
    page.assert_silent()
    server.sends("pong")
    server.answers("back", data=1)
    page.assert_received("result", data="back")


def test_held_for_a_suspect_that_stays_silent_ends_in_time(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True)
    silent(relay, page, server)
    relay.advances(5.2)
    page.assert_received("error", id="c1", code="no_server_online")


def test_a_suspect_s_call_waits_for_room_elsewhere(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True, concurrency=1)
    busy = server_with(alice, idempotent=True, concurrency=1)
    page.calls("a:b", "c1", data=1)
    page.calls("a:b", "c2", data=2)
    call = busy.assert_received("call", data=2)
    relay.advances(1)
    busy.sends("pong")
    relay.advances(1.1)
    assert server.connection.suspect_since
    busy.sends("pong")
    busy.inbox.clear()
    busy.sends("result", id=call["id"])
    page.assert_received("result", id="c2")
    busy.answers(data=1)
    page.assert_received("result", id="c1")


def test_new_calls_are_held_while_the_only_server_is_a_suspect(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    silent(relay, page, server)
    page.calls("a:b", "c2")
    page.sends("send", cmd="a:b")
    page.assert_received("notice", code="no_server_online")
    server.assert_silent()
    server.sends("pong")
    server.assert_received("call")
    page.assert_silent()


def test_when_its_socket_ends_what_may_run_twice_goes_elsewhere_at_once(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    server, other = server_with(alice, idempotent=True), server_with(alice, idempotent=True)
    page.calls("a:b", data=1)
    server.assert_received("call")
    server.leaves()
    other.answers("other", data=1)
    page.assert_received("result", data="other")
    assert relay.hub.take_counts() == {(1, alice.id): 1}


def test_progress_of_a_lost_server_is_followed_by_the_other_s(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice, idempotent=True), server_with(alice, idempotent=True)
    page.calls("a:b")
    server.sends("progress", id=server.assert_received("call")["id"], data="first")
    server.leaves()
    again = other.assert_received("call")
    other.sends("progress", id=again["id"], data="again")
    other.sends("result", id=again["id"])
    assert [frame.get("data") for frame in page.inbox] == ["first", "again", None]


def test_the_deadline_is_not_moved_by_running_elsewhere(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice, idempotent=True), server_with(alice, idempotent=True)
    page.calls("a:b", timeout=2_800)
    server.assert_received("call")
    relay.advances(2.1)
    call = other.assert_received("call")
    relay.advances(0.85)
    page.assert_received("error", code="deadline_exceeded")
    other.assert_received("cancel", id=call["id"])


def test_the_latest_registration_says_whether_it_may_run_twice(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server, other = server_with(alice, idempotent=True), server_with(alice, idempotent=True)
    page.calls("a:b")
    server.assert_received("call")
    other.offers("a:b", idempotent=False)
    server.leaves()
    page.assert_received("error", code="callee_lost")
    other.assert_silent()


def test_a_call_handed_over_as_one_that_runs_once_does_so(relay: CoreRelay, alice: Project, page: Peer) -> None:
    """Its data was let go of: it must not run again with nothing, though the function may run twice by now."""
    server, other = server_with(alice), server_with(alice)
    page.calls("a:b", data="important")
    server.assert_received("call", data="important")
    other.offers("a:b", idempotent=True)
    server.leaves()
    page.assert_received("error", code="callee_lost")
    other.assert_silent()


def test_a_function_taken_back_while_it_ran_runs_nowhere_else(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True)
    page.calls("a:b")
    server.assert_received("call")
    server.unregisters("a:b")
    server.leaves()
    page.assert_received("error", code="callee_lost")


def test_a_function_taken_back_and_offered_anew_runs_at_the_new_server(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    server = server_with(alice, idempotent=True)
    page.calls("a:b", data=1)
    server.assert_received("call")
    server.unregisters("a:b")
    new = server_with(alice, idempotent=True)
    server.leaves()
    new.answers(data=1)
    page.assert_received("result")


# --- the relay's own pauses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0.0, 0.9, 1.5, 3.0, 6.9])
def test_after_a_pause_of_its_own_the_relay_blames_nobody(
    relay: CoreRelay, alice: Project, page: Peer, before: float
) -> None:
    server = server_with(alice)
    page.calls("a:b", timeout=60_000)
    call = server.assert_received("call")
    relay.advances(before)
    suspect = bool(server.connection.suspect_since)
    relay.leaps(9)
    assert is_open(server)
    assert bool(server.connection.suspect_since) == suspect
    server.sends("result", id=call["id"], data="was in the socket all along")
    page.assert_received("result", data="was in the socket all along")


def test_who_is_silent_after_the_pause_too_is_judged_as_ever(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b", timeout=60_000)
    relay.leaps(9)
    relay.advances(7.3)
    page.assert_received("error", code="callee_lost")
    assert server.closed == 4409


def test_what_is_owed_since_the_pause_ended_is_not_owed_from_the_future(
    relay: CoreRelay, alice: Project, page: Peer
) -> None:
    """The socket may be read before the tick that notices the pause."""
    server = server_with(alice)
    relay.now += 9
    page.calls("a:b")
    server.assert_received("call")
    relay.leaps(0)
    relay.advances(1.1)
    server.assert_received("ping")


def test_a_ping_answered_before_the_pause_stays_answered(relay: CoreRelay, alice: Project, page: Peer) -> None:
    """Found by test_interleavings.py: the ping's time was moved by the pause, past its answer's."""
    server = server_with(alice)
    page.calls("a:b", timeout=60_000)
    server.assert_received("call")
    relay.advances(1.1)
    server.assert_received("ping")
    relay.now += 0.001
    server.sends("pong")
    relay.leaps(1)
    for _ in range(60):
        relay.advances(0.05)
        relay.now += 0.001
        if server.inbox:
            server.assert_received("ping")
            server.sends("pong")
        assert not server.connection.suspect_since


def test_a_pause_below_half_a_second_changes_nothing(relay: CoreRelay, alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b")
    server.assert_received("call")
    for _ in range(3):
        relay.leaps(0.45)
    server.assert_received("ping")
    for _ in range(3):
        relay.leaps(0.45)
    assert server.connection.suspect_since
