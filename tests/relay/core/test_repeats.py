"""Calls with an idempotency key: the function runs once, one request is counted (GP-1A)."""

import pytest

from relay.core.frames import NULL, ResultOut
from relay.core.repeats import KEPT, LARGEST, MOST_BYTES, OVERHEAD, Repeats
from tests.relay.core.cast import CoreRelay, Peer, Project

SESSION = "session-of-a-page-16"
KEY = {"idempotency_key": "order-17"}


@pytest.fixture
def page(alice: Project) -> Peer:
    return alice.frontend(session=SESSION)


@pytest.fixture
def server(alice: Project) -> Peer:
    return alice.backend("a:b")


def assert_forgotten(project: Project) -> None:
    repeats = project.tenant.calls.repeats
    assert (repeats.by_scope, repeats.kept, repeats.bytes) == ({}, {}, 0)


# --- a repeat ---------------------------------------------------------------------------------------------------------


def test_a_repeat_gets_the_first_one_s_outcome(alice: Project, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", data=1, **KEY)
    server.answers({"order": 17}, data=1)
    page.assert_received("result", id="c1", data={"order": 17})
    page.calls("a:b", "c2", data=1, **KEY)
    page.assert_received("result", id="c2", data={"order": 17})
    server.assert_silent()
    assert alice.tenant.requests == 1


def test_an_outcome_s_name_and_an_error_are_repeated_too(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    server.sends("result", id=server.assert_received("call")["id"], data=1, outcome="orders.made")
    page.assert_received("result", outcome="orders.made")
    page.calls("a:b", "c2", **KEY)
    page.assert_received("result", id="c2", data=1, outcome="orders.made")
    page.calls("a:b", "c3", idempotency_key="another")
    server.sends("error", id=server.assert_received("call")["id"], code="rejected", message="No.", data=[1])
    first = page.assert_received("error", id="c3")
    page.calls("a:b", "c4", idempotency_key="another")
    assert page.assert_received("error", id="c4") == {**first, "id": "c4"}


def test_a_repeat_while_the_first_runs_waits_for_its_outcome(alice: Project, page: Peer, server: Peer) -> None:
    for number in range(4):
        page.calls("a:b", f"c{number}", **KEY)
    call = server.assert_received("call")
    page.assert_silent()
    server.sends("progress", id=call["id"], data="half")
    server.sends("result", id=call["id"], data="done")
    seen = [(frame["type"], frame["id"], frame["data"]) for frame in page.inbox]
    assert seen[:4] == [("progress", f"c{number}", "half") for number in range(4)]
    assert sorted(seen[4:]) == [("result", f"c{number}", "done") for number in range(4)]
    server.assert_silent()
    assert alice.tenant.requests == 1


def test_other_data_is_refused(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", data={"a": 1}, **KEY)
    page.calls("a:b", "c2", data={"a": 2}, **KEY)
    page.assert_received("error", id="c2", code="invalid_arguments", retryable=False)
    server.answers(data={"a": 1})
    page.assert_received("result", id="c1")
    page.calls("a:b", "c3", data=None, **KEY)
    page.assert_received("error", id="c3", code="invalid_arguments")
    server.assert_silent()


def test_the_scope_is_key_session_function_and_idempotency_key(alice: Project, charlie: Project, page: Peer) -> None:
    server, stranger_s = alice.backend("a:b", "c:d", session=SESSION), charlie.backend("a:b")
    page.calls("a:b", "c1", **KEY)
    server.answers("first")
    page.assert_received("result", data="first")
    for caller, cmd, fields in (
        (page, "a:b", {"idempotency_key": "order-18"}),
        (page, "c:d", KEY),
        (alice.frontend(session="another session!"), "a:b", KEY),
        (server, "a:b", KEY),
    ):
        caller.calls(cmd, "n", **fields)
        server.answers("own")
        caller.assert_received("result", id="n", data="own")
    other = charlie.frontend(session=SESSION)
    other.calls("a:b", "c1", **KEY)
    stranger_s.answers("charlie's")
    other.assert_received("result", data="charlie's")


def test_without_a_key_every_call_runs(page: Peer, server: Peer) -> None:
    for number in range(3):
        page.calls("a:b", f"c{number}", data="same")
        server.answers()


@pytest.mark.parametrize("key", ["", "x" * 257, 5, None])
def test_an_idempotency_key_has_1_to_256_characters(page: Peer, server: Peer, key: object) -> None:
    page.calls("a:b", idempotency_key=key)
    page.assert_received("error", code="bad_frame")
    server.assert_silent()


# --- the caller is lost and comes back --------------------------------------------------------------------------------


def test_a_lost_caller_s_call_goes_on_and_a_reconnect_gets_its_outcome(
    alice: Project, page: Peer, server: Peer
) -> None:
    page.calls("a:b", data=1, **KEY)
    call = server.assert_received("call")
    page.leaves()
    server.assert_silent()
    back = alice.frontend(session=SESSION)
    back.calls("a:b", "again", data=1, **KEY)
    server.assert_silent()
    server.sends("result", id=call["id"], data="once")
    back.assert_received("result", id="again", data="once")
    assert alice.tenant.requests == 1


def test_an_outcome_that_came_while_the_caller_was_away_is_there_when_it_is_back(
    alice: Project, page: Peer, server: Peer
) -> None:
    page.calls("a:b", data=1, **KEY)
    page.leaves()
    server.answers("meanwhile")
    back = alice.frontend(session=SESSION)
    back.calls("a:b", "again", data=1, **KEY)
    back.assert_received("result", id="again", data="meanwhile")
    assert alice.tenant.requests == 1


def test_a_lost_caller_without_a_key_is_cancelled(page: Peer, server: Peer) -> None:
    page.calls("a:b")
    server.assert_received("call")
    page.leaves()
    server.assert_received("cancel")


def test_a_follower_that_is_lost_leaves_the_others_alone(alice: Project, page: Peer, server: Peer) -> None:
    other = alice.frontend(session=SESSION)
    page.calls("a:b", **KEY)
    other.calls("a:b", **KEY)
    other.leaves()
    server.answers("one")
    page.assert_received("result", data="one")
    assert alice.tenant.statistics.now == {"caller_lost": 1, "result": 1}


def test_a_follower_has_its_own_deadline(relay: CoreRelay, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", timeout=500, **KEY)
    relay.advances(0.7)
    page.assert_received("error", id="c2", code="deadline_exceeded")
    server.answers()
    page.assert_received("result", id="c1")


@pytest.mark.parametrize("code", ["server_busy", "no_server_online"])
def test_a_follower_of_a_call_that_waits_ends_at_its_own_deadline_as_that_call_would(
    relay: CoreRelay, alice: Project, page: Peer, code: str
) -> None:
    """`deadline_exceeded` would say that it may have run."""
    server = alice.backend()
    server.offers("a:b", concurrency=1)
    if code == "server_busy":
        alice.frontend().calls("a:b", data="another")
    else:
        server.leaves()
    page.calls("a:b", "c1", timeout=1000, **KEY)
    page.calls("a:b", "c2", timeout=500, **KEY)
    relay.advances(0.7)
    told = page.assert_received("error", id="c2", code=code, retryable=True)
    page.assert_silent()
    relay.advances(0.5)
    assert page.assert_received("error", id="c1") == {**told, "id": "c1"}
    assert_forgotten(alice)


def test_a_follower_s_deadline_tells_where_the_first_call_is_then(relay: CoreRelay, alice: Project, page: Peer) -> None:
    """It waited for its server when the followers came, runs elsewhere, and waits once more."""
    alice.backend("a:b").leaves()
    for number, timeout in enumerate((3500, 500, 1500, 2500)):
        page.calls("a:b", f"c{number}", timeout=timeout, **KEY)
    codes = ["no_server_online", "deadline_exceeded", "no_server_online"]
    for number, code in enumerate(codes, start=1):
        relay.advances(0.7)
        page.assert_received("error", id=f"c{number}", code=code)
        page.assert_silent()
        relay.advances(0.3)
        if number == 1:
            server = alice.backend()
            server.offers("a:b", idempotent=True)
        elif number == 2:
            server.leaves()
    alice.backend("a:b").answers("at last")
    page.assert_received("result", id="c0", data="at last")


def test_a_follower_may_be_cancelled_alone(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    page.sends("cancel", id="c2")
    page.assert_received("error", id="c2", code="cancelled")
    server.answers()
    page.assert_received("result", id="c1")


def test_the_first_may_be_cancelled_while_others_wait(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    page.sends("cancel", id="c1")
    page.assert_received("error", id="c1", code="cancelled")
    page.assert_silent()
    server.answers("for c2")
    page.assert_received("result", id="c2", data="for c2")
    page.assert_silent()


def test_the_only_one_that_is_cancelled_stops_the_callee(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    call = server.assert_received("call")
    page.sends("cancel", id="c1")
    page.assert_received("error", id="c1", code="cancelled")
    server.assert_received("cancel", id=call["id"])


def test_when_the_callee_is_lost_all_are_told(alice: Project, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    server.leaves()
    assert {(frame["id"], frame["code"]) for frame in page.inbox} == {("c1", "callee_lost"), ("c2", "callee_lost")}


def test_a_call_with_a_key_runs_elsewhere_when_it_may(alice: Project, page: Peer) -> None:
    server, other = alice.backend(), alice.backend()
    for each in (server, other):
        each.offers("a:b", idempotent=True)
    page.calls("a:b", "c1", data=1, **KEY)
    page.calls("a:b", "c2", data=1, **KEY)
    server.leaves()
    other.answers("other", data=1)
    assert [(frame["id"], frame["data"]) for frame in page.inbox] == [("c1", "other"), ("c2", "other")]
    assert alice.tenant.requests == 1


def test_a_deadline_s_outcome_is_kept_too(relay: CoreRelay, page: Peer, server: Peer) -> None:
    """It may have run: asking again must not run it a second time."""
    page.calls("a:b", "c1", timeout=500, **KEY)
    server.assert_received("call")
    relay.advances(0.7)
    page.assert_received("error", id="c1", code="deadline_exceeded")
    page.calls("a:b", "c2", **KEY)
    page.assert_received("error", id="c2", code="deadline_exceeded")
    server.assert_received("cancel")
    server.assert_silent()


# --- what is forgotten ------------------------------------------------------------------------------------------------


def test_a_call_that_never_reached_a_server_is_forgotten(relay: CoreRelay, alice: Project, page: Peer) -> None:
    alice.backend("a:b").leaves()
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    relay.advances(5.2)
    assert {(frame["id"], frame["code"]) for frame in page.inbox} == {
        ("c1", "no_server_online"),
        ("c2", "no_server_online"),
    }
    page.inbox.clear()
    assert_forgotten(alice)
    server = alice.backend("a:b")
    page.calls("a:b", "c3", **KEY)
    server.answers("now")
    page.assert_received("result", id="c3", data="now")


def test_a_refused_call_is_forgotten(alice: Project, page: Peer) -> None:
    alice.backend("a:b")
    alice.tenant.quota.limit = 0
    page.calls("a:b", "c1", **KEY)
    page.assert_received("error", code="quota_exceeded")
    page.calls("nobody:home", "c2", **KEY)
    page.assert_received("error", code="no_such_function")
    assert_forgotten(alice)


def test_a_held_call_with_a_key_goes_on_without_its_caller(alice: Project, page: Peer) -> None:
    alice.backend("a:b").leaves()
    page.calls("a:b", data=1, **KEY)
    page.leaves()
    back = alice.frontend(session=SESSION)
    back.calls("a:b", "again", data=1, **KEY)
    server = alice.backend("a:b")
    server.answers("once", data=1)
    back.assert_received("result", id="again", data="once")
    server.assert_silent()


def test_after_ten_minutes_it_runs_again(relay: CoreRelay, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    server.answers()
    page.assert_received("result")
    relay.now += KEPT - 1
    page.calls("a:b", "c2", **KEY)
    page.assert_received("result")
    relay.now += 1
    page.calls("a:b", "c3", **KEY)
    server.assert_received("call")


def test_after_ten_minutes_nothing_is_kept(relay: CoreRelay, alice: Project, page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    server.answers()
    relay.now += KEPT
    relay.hub.sweep(relay.now)
    assert_forgotten(alice)


@pytest.mark.parametrize(("size", "kept"), [(LARGEST, True), (LARGEST + 1, False)])
def test_outcomes_are_kept_up_to_64_kibibytes(page: Peer, server: Peer, size: int, kept: bool) -> None:
    data = "x" * (size - 2)
    page.calls("a:b", "c1", **KEY)
    server.answers(data)
    page.assert_received("result", id="c1", data=data)
    page.calls("a:b", "c2", **KEY)
    if kept:
        page.assert_received("result", id="c2", data=data)
    else:
        page.assert_received("error", id="c2", code="payload_too_large", retryable=False)
    server.assert_silent()


def test_a_large_outcome_reaches_all_who_wait_now(page: Peer, server: Peer) -> None:
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    server.answers("x" * LARGEST)
    assert [len(frame["data"]) for frame in page.inbox] == [LARGEST, LARGEST]


def test_of_too_many_outcomes_the_oldest_go(alice: Project, page: Peer, server: Peer) -> None:
    repeats, data = alice.tenant.calls.repeats, "x" * (LARGEST - 2)
    fit = MOST_BYTES // (LARGEST + OVERHEAD)
    for number in range(fit + 1):
        page.calls("a:b", f"c{number}", idempotency_key=f"key-{number}")
        server.answers(data)
        page.assert_received("result")
        assert repeats.bytes <= MOST_BYTES
    assert len(repeats.by_scope) == len(repeats.kept) == fit
    page.calls("a:b", "second", idempotency_key="key-1")
    page.assert_received("result", id="second")
    page.calls("a:b", "first", idempotency_key="key-0")
    server.assert_received("call")


def test_many_small_outcomes_are_bounded_too() -> None:
    repeats, outcome = Repeats(), ResultOut(id="x", data=NULL)
    for number in range(MOST_BYTES // OVERHEAD + 1_000):
        repeats.keep(repeats.begin((1, SESSION, "a:b", str(number)), NULL, 0.0), outcome, 0.0)
    assert len(repeats.by_scope) <= MOST_BYTES // OVERHEAD
