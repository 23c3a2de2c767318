"""A back end calls and sends to a front end of another process, by session or connection (`to`, GP-5, GP-56)."""

import pytest

from tests.relay.backplane.network import ADD, Network
from tests.relay.core.cast import Peer

SESSION = "session-of-a-page-16"
TO = {"session": SESSION}
MEGABYTE = "x" * 1_000_000


@pytest.fixture
def network() -> Network:
    return Network(3)


@pytest.fixture
def caller(network: Network) -> Peer:
    return network.alice(0).backend(session="session-of-a-server")


@pytest.fixture
def page(network: Network) -> Peer:
    return network.alice(1).frontend(session=SESSION)


def calls(caller: Peer, call_id: str = "c1", **fields: object) -> None:
    caller.calls("show", call_id, **{"to": TO, **fields})


@pytest.mark.parametrize("by", ["session", "connection"])
def test_a_call_reaches_a_front_end_of_another_process(network: Network, caller: Peer, page: Peer, by: str) -> None:
    calls(caller, data=8, to={by: getattr(page.connection, "id" if by == "connection" else "session")})
    network.settle()
    call = page.assert_received("call", cmd="show", data=8)
    assert call["header"] == {"connection": caller.connection.id, "peer": "backend"}
    page.sends("progress", id=call["id"], data="drawing")
    page.sends("result", id=call["id"], data="shown")
    network.settle()
    caller.assert_received("progress", id="c1", data="drawing")
    caller.assert_received("result", id="c1", data="shown")
    caller.assert_silent()
    network.lives(1)
    network.assert_quiet()
    assert [network.alice(number).tenant.requests for number in (0, 1)] == [1, 0]


def test_a_call_to_a_session_goes_to_its_youngest_connection_wherever_it_is(
    network: Network, caller: Peer, page: Peer
) -> None:
    pages = [page, network.alice(0).frontend(session=SESSION), network.alice(2).frontend(session=SESSION)]
    for year, youngest in enumerate(pages, 2030):
        youngest.connection.connected_at = f"{year}-01-01T00:00:00.000Z"
        calls(caller)
        network.settle()
        youngest.answers("here")
        network.settle()
        caller.assert_received("result", data="here")
    for other in pages:
        other.assert_silent()


def test_a_send_to_a_session_goes_to_all_its_connections_everywhere(network: Network, caller: Peer, page: Peer) -> None:
    pages = [page, *(network.alice(number).frontend(session=SESSION) for number in (0, 0, 1, 2))]
    caller.sends("send", cmd="show", data=1, to=TO)
    network.settle()
    for one in pages:
        one.assert_received("send", cmd="show", data=1)
        one.assert_silent()
    caller.assert_silent()
    assert network.alice(0).tenant.requests == 1


def test_who_is_nowhere_is_no_such_peer_without_a_wait(network: Network, caller: Peer, page: Peer) -> None:
    stranger = network.charlie(1).frontend(session="session-of-a-stranger")
    server = network.alice(1).backend(session="session-of-another-server")
    for to in (
        {"session": "session-of-a-stranger"},
        {"connection": stranger.connection.id},
        {"session": "session-of-another-server"},
        {"connection": server.connection.id},
        {"connection": "nobody"},
    ):
        calls(caller, to=to)
        network.settle()
        caller.assert_received("error", id="c1", code="no_such_peer", retryable=False)
        caller.sends("send", cmd="show", to=to)
        network.settle()
        caller.assert_received("notice", code="no_such_peer", about="show")
    stranger.assert_silent()
    server.assert_silent()
    assert network.alice(0).tenant.requests == 0


def test_a_front_end_may_not_look_for_anybody(network: Network, page: Peer) -> None:
    other = network.alice(0).frontend()
    before = network.published
    calls(other)
    other.assert_received("error", code="forbidden")
    network.settle()
    assert network.published == before


def test_a_call_that_looks_for_its_front_end_is_in_flight(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    calls(caller)
    caller.assert_received("notice", code="bad_frame", id="c1")
    caller.sends("cancel", id="c1")
    caller.assert_received("error", id="c1", code="cancelled")
    network.settle()
    page.assert_silent()
    caller.assert_silent()
    network.assert_quiet()


def test_a_caller_that_leaves_looks_for_nobody(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    caller.sends("send", cmd="show", to={"session": "nobody-has-this-session"})
    caller.leaves()
    network.settle()
    page.assert_silent()
    network.assert_quiet()


def test_a_call_ends_at_its_deadline_though_nobody_answers(network: Network, caller: Peer, page: Peer) -> None:
    network.freezes(1)
    calls(caller, timeout=500)
    network.advances(0.75)
    caller.assert_received("error", code="deadline_exceeded")
    network.goes_on(1)
    network.lives(1)
    page.assert_silent()
    caller.assert_silent()


def test_one_who_may_be_where_nobody_answers_is_not_said_to_be_nowhere(
    network: Network, caller: Peer, page: Peer
) -> None:
    network.freezes(1)
    calls(caller)
    network.advances(0.9)
    caller.assert_silent()
    network.advances(0.2)
    caller.assert_received("error", id="c1", code="relay_unavailable")


def test_who_was_found_is_called_though_another_process_does_not_answer(
    network: Network, caller: Peer, page: Peer
) -> None:
    network.freezes(2)
    calls(caller)
    network.advances(1.1)
    page.answers("here")
    network.settle()
    caller.assert_received("result", data="here")


def test_a_process_that_dies_while_it_is_asked_is_not_waited_for(network: Network, caller: Peer, page: Peer) -> None:
    network.freezes(1)
    network.advances(1.5)
    calls(caller)
    network.advances(0.7)
    caller.assert_received("error", id="c1", code="relay_unavailable")


def test_a_front_end_that_leaves_ends_the_call(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    network.settle()
    page.leaves()
    network.settle()
    caller.assert_received("error", id="c1", code="callee_lost")
    network.lives(1)
    network.assert_quiet()


def test_a_front_end_that_left_before_the_call_came_is_nowhere(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    network.carries(0)
    network.carries(1)
    network.carries(2)
    page.leaves()
    network.settle()
    caller.assert_received("error", id="c1", code="no_such_peer")
    caller.assert_silent()


def test_a_process_that_dies_ends_calls_to_its_front_ends(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    network.settle()
    network.dies(1)
    network.lives(2.7)
    caller.assert_received("error", id="c1", code="callee_lost")
    network.assert_quiet()


def test_a_cancel_reaches_the_front_end(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller)
    network.settle()
    call = page.assert_received("call")
    caller.leaves()
    network.settle()
    page.assert_received("cancel", id=call["id"])


def test_without_redis_only_those_of_this_process_are_reached(network: Network, caller: Peer, page: Peer) -> None:
    calls(caller, "on its way")
    network.redis_goes()
    network.lives(1.2)
    caller.assert_received("error", id="on its way", code="relay_unavailable")
    calls(caller)
    caller.assert_received("error", id="c1", code="relay_unavailable")
    near = network.alice(0).frontend(session=SESSION)
    calls(caller, "c2")
    near.answers("here")
    caller.assert_received("result", id="c2", data="here")


def test_redis_goes_while_one_of_two_has_answered(network: Network, caller: Peer, page: Peer) -> None:
    network.freezes(2)
    calls(caller)
    network.settle()
    network.redis_goes()
    network.advances(0.6)
    caller.assert_received("error", id="c1", code="relay_unavailable")
    network.goes_on(2)
    network.redis_comes_back()
    network.lives(2)
    page.assert_silent()


def test_calls_to_a_front_end_of_a_process_for_which_too_much_waits_end(
    network: Network, caller: Peer, page: Peer
) -> None:
    server = network.alice(1).backend(ADD)
    network.settle()
    for number in range(70):
        caller.calls(ADD, f"c{number}", data=MEGABYTE)
    caller.inbox.clear()
    calls(caller, "one more")
    network.settle()
    caller.assert_received("error", id="one more", code="relay_unavailable")
    page.assert_silent()
    assert server.inbox


def test_calls_that_look_for_their_front_ends_are_bounded(network: Network, caller: Peer, page: Peer) -> None:
    for _ in range(2):
        for number in range(70):
            calls(caller, f"c{number}", data=MEGABYTE)
        codes = [frame["code"] for frame in caller.inbox]
        assert set(codes) == {"relay_unavailable"}
        assert 53 <= len(codes) <= 55
        network.settle()
        assert len(page.inbox) == 70 - len(codes)
        while page.inbox:
            page.answers()
        network.lives(0.1)
        caller.inbox.clear()


def test_a_question_that_was_lost_is_answered_as_unknown(network: Network, caller: Peer, page: Peer) -> None:
    network.loses(0, None)
    calls(caller)
    network.advances(1.1)
    caller.assert_received("error", code="relay_unavailable")
    calls(caller)
    network.settle()
    page.assert_received("call")


def test_a_call_to_a_front_end_that_was_lost_does_not_say_that_it_is_nowhere(
    network: Network, caller: Peer, page: Peer
) -> None:
    calls(caller)
    network.carries(0)
    network.loses(0, 1)
    network.lives(0.7)
    caller.assert_received("error", id="c1", code="relay_unavailable", retryable=True)
    page.assert_silent()


def test_an_answer_that_was_lost_comes_again(network: Network, caller: Peer, page: Peer) -> None:
    network.loses(1, 0)
    calls(caller)
    network.lives(0.7)
    page.answers("here")
    network.settle()
    caller.assert_received("result", data="here")


def test_calls_of_one_caller_reach_one_front_end_in_order(network: Network, caller: Peer, page: Peer) -> None:
    for number in range(100):
        calls(caller, f"c{number}", data=number)
    network.settle()
    assert [frame["data"] for frame in page.inbox] == list(range(100))
