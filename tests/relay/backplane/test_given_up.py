"""Who took another process for dead says so by a new stream; nothing can come between that and its next calls."""

import pytest

from tests.relay.backplane.network import ADD, Network, handed, served
from tests.relay.core.cast import Peer


def test_calls_behind_a_lost_batch_of_who_gave_us_up_are_answered(network: Network, page: Peer, server: Peer) -> None:
    """The first batch to the one that is back is lost, and it hears of that behind the call it is given."""
    network.freezes(1)
    network.advances(3.0)
    page.calls(ADD, "held")
    network.settle()
    network.goes_on(1)
    network.loses(0, 1)
    network.advances(0.05)  # its beat is heard
    server.registers("other:function")  # so that it is known before it was asked
    network.settle()
    network.lives(1.0)
    server.answers({"result": 8})
    network.settle()
    page.assert_received("result", id="held", data={"result": 8})
    network.assert_quiet()


def test_what_ran_for_who_gave_us_up_is_stopped(network: Network, page: Peer, server: Peer) -> None:
    page.calls(ADD, "lost")
    network.settle()
    server.assert_received("call")
    network.freezes(1)
    network.advances(3.0)
    page.assert_received("error", id="lost", code="callee_lost")
    network.goes_on(1)
    network.lives(1.0)
    server.assert_received("cancel")
    network.assert_quiet()


# --- a pause of our own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", ["before the tick", "and sent before the tick", "behind the tick", "unnoticed"])
def test_calls_made_while_their_relay_stood_still_run_once_and_are_answered(
    network: Network, page: Peer, server: Peer, read: str
) -> None:
    """They wait in the sockets until it goes on; the others took it for dead, and it does not know yet."""
    network.freezes(0)
    network.lives(3.0)
    network.goes_on(0)
    if read == "behind the tick":
        network.nodes[0].relay.leaps(network.now - page.relay.now)
        network.nodes[0].mesh.tick(network.now)
    if read == "unnoticed":  # its clock stood still as well
        mesh = network.nodes[0].mesh
        mesh.ticked = mesh.echoed = network.now
        for process in mesh.processes.values():
            process.heard = network.now
    for number in range(3):
        page.calls(ADD, f"c{number}", data=number)
    if read == "and sent before the tick":
        network.carries(0)
    for _ in range(30):
        network.lives(0.05)
    for number in range(3):
        server.answers(number, data=number)
    network.settle()
    for number in range(3):
        page.assert_received("result", id=f"c{number}", data=number)
    server.assert_silent()
    page.assert_silent()
    assert network.alice(0).tenant.requests == 3
    network.assert_quiet()


def test_a_call_to_a_page_of_who_does_not_know_yet_says_that_it_did_not_run(
    network: Network, page: Peer, server: Peer
) -> None:
    network.freezes(1)
    network.lives(3.0)
    network.goes_on(1)
    server.calls("show", to={"session": page.connection.session})
    network.lives(1.5)
    server.assert_received("error", code="relay_unavailable", retryable=True)
    page.assert_silent()
    server.calls("show", to={"session": page.connection.session})
    network.settle()
    page.assert_received("call")


@pytest.mark.parametrize(("goes", "code"), [(False, "relay_unavailable"), (True, "no_such_peer")])
def test_a_call_to_a_page_that_waited_while_all_stood_still_says_whether_the_page_is_there(
    network: Network, page: Peer, server: Peer, goes: bool, code: str
) -> None:
    """As on a machine that sleeps; the call may have ended meanwhile."""
    server.calls("show", to={"session": page.connection.session})
    for number in (1, 0, 0, 1, 1):  # it looks for the page, finds it, and calls it
        network.carries(number)
    for number in range(2):
        network.freezes(number)
    network.lives(3.0)
    if goes:
        page.leaves()
    for number in range(2):
        network.goes_on(number)
    network.lives(0.1)
    page.assert_silent()
    server.assert_received("error", code=code)
    network.lives(1.5)
    network.assert_quiet()
    assert network.alice(1).tenant.requests == 0


def test_calls_made_to_a_relay_that_stood_still_do_not_run_when_they_have_ended(
    network: Network, page: Peer, server: Peer
) -> None:
    network.freezes(1)
    network.lives(0.5)
    page.calls(ADD)
    network.lives(2.5)
    page.assert_received("error", id="c1", code="callee_lost")
    network.goes_on(1)
    network.lives(2.0)
    server.assert_silent()
    network.assert_quiet()
    served(network, page, server)


def test_a_third_relay_and_its_calls_are_left_alone() -> None:
    network = Network(3)
    server, page = network.alice(1).backend(ADD), network.alice(2).frontend()
    network.settle()
    network.freezes(0)
    network.lives(3.0)
    call = handed(network, page, server)
    network.goes_on(0)
    network.lives(1.5)
    server.sends("result", id=call, data="here")
    network.settle()
    page.assert_received("result", id="c1", data="here")
    network.assert_quiet()


def test_who_was_given_up_by_two_is_told_by_both_and_by_each_once() -> None:
    network = Network(3)
    server, page = network.alice(1).backend(ADD), network.alice(0).frontend()
    network.settle()
    network.freezes(0)
    network.lives(3.0)
    network.goes_on(0)
    network.lives(1.5)
    streams = [node.mesh.streams for node in network.nodes]
    network.lives(3.0)
    assert [node.mesh.streams for node in network.nodes] == streams
    served(network, page, server)
    network.assert_quiet()
