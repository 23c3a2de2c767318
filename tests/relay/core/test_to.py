"""A back end calls and sends to a front end, by session or connection (`to`, GP-5F, GP-56)."""

import json

import pytest

from tests.relay.core.cast import Peer, Project

SESSION = "session-of-a-page-16"
TO = {"session": SESSION}


@pytest.fixture
def server(alice: Project) -> Peer:
    return alice.backend("a:b", session="session-of-a-server")


def test_a_call_goes_to_the_connection_and_its_answer_comes_back(alice: Project, server: Peer) -> None:
    page, other = alice.frontend(), alice.frontend()
    server.sends("call", id="c1", cmd="show", data={"price": 8}, to={"connection": page.connection.id}, timeout=5_000)
    call = page.assert_received("call", cmd="show", data={"price": 8}, timeout=5_000)
    page.sends("progress", id=call["id"], data="drawing")
    page.sends("result", id=call["id"], data="shown")
    server.assert_received("progress", id="c1", data="drawing")
    server.assert_received("result", id="c1", data="shown")
    other.assert_silent()


def test_the_header_names_the_back_end_and_not_its_session(alice: Project, server: Peer) -> None:
    page = alice.frontend(session=SESSION)
    for kind in ("call", "send"):
        server.sends(kind, id="c1", cmd="show", to=TO)
        frame = page.assert_received(kind, header={"connection": server.connection.id, "peer": "backend"})
        assert "session-of-a-server" not in json.dumps(frame)


def test_a_call_to_a_session_goes_to_its_youngest_connection(alice: Project, server: Peer) -> None:
    pages = [alice.frontend(session=SESSION) for _ in range(3)]
    server.sends("call", id="c1", cmd="show", to=TO)
    pages[2].answers("third")
    server.assert_received("result", data="third")
    pages[2].leaves()
    server.sends("call", id="c2", cmd="show", to=TO)
    pages[1].answers("second")
    server.assert_received("result", data="second")
    pages[0].assert_silent()


def test_a_send_to_a_session_goes_to_all_its_connections(alice: Project, server: Peer) -> None:
    pages = [alice.frontend(session=SESSION) for _ in range(3)]
    stranger = alice.frontend()
    server.sends("send", cmd="show", data=1, to=TO)
    for page in pages:
        page.assert_received("send", cmd="show", data=1)
    server.assert_silent()
    stranger.assert_silent()


def test_a_send_is_one_request_however_many_get_it(alice: Project, server: Peer) -> None:
    for _ in range(3):
        alice.frontend(session=SESSION)
    server.sends("send", cmd="show", to=TO)
    server.sends("call", id="c1", cmd="show", to=TO)
    assert alice.tenant.requests == 2


def test_a_session_of_16_characters_is_not_a_connection(alice: Project, server: Peer) -> None:
    page = alice.frontend(session=SESSION)
    for to in ({"connection": SESSION}, {"session": page.connection.id}):
        server.sends("call", id="c1", cmd="show", to=to)
        server.assert_received("error", code="no_such_peer")


def test_not_there_not_yours_and_no_front_end_look_the_same(alice: Project, charlie: Project, server: Peer) -> None:
    stranger, colleague = charlie.frontend(session=SESSION), alice.backend(session="session-of-another-server")
    left = alice.frontend()
    left.leaves()
    told = []
    for to in (
        {"connection": "nobody"},
        {"connection": left.connection.id},
        {"connection": stranger.connection.id},
        {"connection": colleague.connection.id},
        {"session": "nobody has this session"},
        {"session": SESSION},
        {"session": "session-of-another-server"},
    ):
        server.sends("call", id="c1", cmd="show", to=to)
        told.append(server.assert_received("error", id="c1", code="no_such_peer", retryable=False))
        server.sends("send", cmd="show", to=to)
        server.assert_received("notice", code="no_such_peer")
    assert all(error == told[0] for error in told)
    stranger.assert_silent()
    colleague.assert_silent()
    assert alice.tenant.requests == 0


@pytest.mark.parametrize("to", [{}, {"session": SESSION, "connection": "x"}])
def test_it_is_a_session_or_a_connection(server: Peer, to: dict[str, str]) -> None:
    server.sends("call", id="c1", cmd="show", to=to)
    server.assert_received("error", id="c1", code="bad_frame")


@pytest.mark.parametrize("to", [TO, {"connection": "connection-1"}, {"session": "nobody has this session"}])
def test_a_front_end_calls_nobody_directly(alice: Project, to: dict[str, str]) -> None:
    target, page = alice.frontend(session=SESSION), alice.frontend()
    page.sends("call", id="c1", cmd="show", to=to)
    page.assert_received("error", id="c1", code="forbidden")
    page.sends("send", cmd="show", to=to)
    page.assert_received("notice", code="forbidden")
    target.assert_silent()


def test_a_front_end_that_is_gone_ends_the_call_at_once(alice: Project, server: Peer) -> None:
    page = alice.frontend(session=SESSION)
    server.sends("call", id="c1", cmd="show", to=TO)
    page.leaves()
    server.assert_received("error", id="c1", code="callee_lost")


def test_a_back_end_that_is_gone_cancels_at_the_front_end(alice: Project, server: Peer) -> None:
    page = alice.frontend(session=SESSION)
    server.sends("call", id="c1", cmd="show", to=TO)
    call = page.assert_received("call")
    server.leaves()
    page.assert_received("cancel", id=call["id"])


def test_only_the_front_end_called_answers(alice: Project, server: Peer) -> None:
    page, other = alice.frontend(session=SESSION), alice.frontend()
    server.sends("call", id="c1", cmd="show", to={"connection": page.connection.id})
    call = page.assert_received("call")
    for forger in (other, server):
        forger.sends("result", id=call["id"], data="forged")
        forger.assert_alive()
    assert alice.tenant.statistics.now == {"forged": 2}
    page.sends("error", id=call["id"], code="rejected", message="No.")
    server.assert_received("error", id="c1", code="rejected")


def test_a_lost_front_end_s_call_goes_nowhere_else(alice: Project, server: Peer) -> None:
    """Even when a function of the same name may run twice."""
    server.offers("show", idempotent=True)
    page = alice.frontend(session=SESSION)
    alice.frontend(session=SESSION)
    server.sends("call", id="c1", cmd="show", to={"connection": page.connection.id})
    page.leaves()
    server.assert_received("error", id="c1", code="callee_lost")
    server.assert_silent()
