"""Calls between processes keep what they promise in one (GP-10 to GP-17)."""

import pytest

from tests.relay.backplane.network import ADD, Network, handed, served
from tests.relay.core.cast import Peer


def test_a_call_reaches_a_server_of_another_process(network: Network, page: Peer, server: Peer) -> None:
    page.calls(ADD, data={"a": 5, "b": 3})
    network.settle()
    call = server.answers({"result": 8}, cmd=ADD, data={"a": 5, "b": 3})
    assert call["header"]["connection"] == page.connection.id
    assert call["header"]["peer"] == "frontend"
    network.settle()
    page.assert_received("result", id="c1", data={"result": 8})
    page.assert_silent()
    server.assert_silent()


def test_a_request_is_counted_once_and_where_it_was_made(network: Network, page: Peer, server: Peer) -> None:
    served(network, page, server)
    assert (network.alice(0).tenant.requests, network.alice(1).tenant.requests) == (1, 0)
    assert network.alice(0).tenant.statistics.now == {"result": 1}
    assert network.alice(1).tenant.statistics.now == {}


def test_charlie_hears_nothing(network: Network, server: Peer) -> None:
    stranger = network.charlie(0).frontend()
    stranger.calls(ADD)
    network.settle()
    stranger.assert_received("error", code="no_such_function")
    server.assert_silent()


@pytest.mark.parametrize("code", ["app_error", "rejected", "invalid_arguments", "payload_too_large"])
def test_the_functions_own_error_comes_through(network: Network, page: Peer, server: Peer, code: str) -> None:
    call = handed(network, page, server)
    server.sends("error", id=call, code=code, message="no", data={"why": 1})
    network.settle()
    page.assert_received("error", id="c1", code=code, message="no", data={"why": 1})


def test_progress_comes_through_in_order(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    for part in range(5):
        server.sends("progress", id=call, data=part)
    server.sends("result", id=call, data="end")
    network.settle()
    for part in range(5):
        page.assert_received("progress", id="c1", data=part)
    page.assert_received("result", id="c1", data="end")


def test_a_cancel_reaches_the_callee(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    page.sends("cancel", id="c1")
    network.settle()
    page.assert_received("error", id="c1", code="cancelled")
    server.assert_received("cancel", id=call)
    server.sends("result", id=call, data="late")
    network.settle()
    page.assert_silent()


def test_a_caller_that_leaves_cancels_its_calls(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    page.leaves()
    network.settle()
    server.assert_received("cancel", id=call)


def test_a_callee_that_leaves_ends_its_calls_at_once(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    server.leaves()
    network.settle()
    page.assert_received("error", id="c1", code="callee_lost")
    page.assert_silent()


def test_an_idempotent_call_goes_on_elsewhere(network: Network, page: Peer) -> None:
    servers = [network.alice(1).backend(), network.alice(0).backend()]
    for server in servers:
        server.offers(ADD, idempotent=True)
        network.settle()
    page.calls(ADD)
    network.settle()
    first = next(server for server in servers if server.inbox)
    other = next(server for server in servers if server is not first)
    first.leaves()
    network.settle()
    other.answers("done")
    network.settle()
    page.assert_received("result", id="c1", data="done")
    page.assert_silent()


def test_a_call_ends_at_its_deadline(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server, timeout=1_000)
    network.advances(1.3)
    page.assert_received("error", id="c1", code="deadline_exceeded")
    page.assert_silent()
    server.assert_received("cancel", id=call)


def test_a_function_taken_back_is_gone_everywhere(network: Network, page: Peer, server: Peer) -> None:
    server.unregisters(ADD)
    network.settle()
    page.calls(ADD)
    page.assert_received("error", id="c1", code="no_such_function")


def test_a_call_waits_for_a_server_that_comes_back_on_another_process(
    network: Network, page: Peer, server: Peer
) -> None:
    server.leaves()
    network.settle()
    page.calls(ADD)
    network.advances(1)
    page.assert_silent()
    again = network.alice(1).backend(ADD)
    network.settle()
    again.answers("here")
    network.settle()
    page.assert_received("result", id="c1", data="here")


def test_a_draining_server_gets_no_new_calls_and_ends_its_old_ones(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    server.drains()
    network.settle()
    page.calls(ADD, "c2")
    network.settle()
    server.assert_silent()
    server.sends("result", id=call, data=1)
    network.settle()
    page.assert_received("result", id="c1", data=1)


def test_a_suspect_gets_no_new_calls_from_anywhere(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.advances(2.3)
    page.calls(ADD, "c2")
    network.settle()
    assert [frame["type"] for frame in server.inbox] == ["ping"]
    network.advances(5.2)
    page.assert_received("error", id="c1", code="callee_lost")


def test_a_servers_concurrency_holds_for_all_processes(network: Network) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    pages = [network.alice(0).frontend(), network.alice(1).frontend()]
    for page in pages:
        page.calls(ADD)
    network.settle()
    assert len(server.inbox) == 1
    server.answers(1)
    network.settle()
    server.answers(2)
    network.settle()
    assert sorted(page.assert_received("result")["data"] for page in pages) == [1, 2]


def test_calls_of_one_caller_reach_one_callee_in_order(network: Network, page: Peer, server: Peer) -> None:
    for number in range(500):
        page.calls(ADD, f"c{number}", data=number)
    network.settle()
    assert [server.assert_received("call")["data"] for _ in range(500)] == list(range(500))


def test_many_frames_of_a_turn_leave_in_one_batch(network: Network, page: Peer, server: Peer) -> None:
    before = network.published
    for number in range(500):
        page.calls(ADD, f"c{number}", data=number)
    network.settle()
    assert network.published == before + 1


def test_a_send_reaches_a_server_of_another_process(network: Network, page: Peer, server: Peer) -> None:
    page.sends("send", cmd=ADD, data=1)
    network.settle()
    server.assert_received("send", cmd=ADD, data=1)


def test_a_process_that_joins_later_knows_every_server(network: Network, server: Peer) -> None:
    network.join()
    served(network, network.alice(2).frontend(), server)


def test_calls_take_turns_between_servers_of_all_processes(network: Network, page: Peer, server: Peer) -> None:
    other = network.alice(0).backend(ADD)
    network.settle()
    for number in range(4):
        page.calls(ADD, f"c{number}")
    network.settle()
    assert (len(server.inbox), len(other.inbox)) == (2, 2)
