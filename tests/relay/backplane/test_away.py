"""A process that starts while a back end is away holds calls of its functions, as the others do (GP-16)."""

import pytest

from relay.core.functions import REMEMBERED
from tests.relay.backplane.network import ADD, Network, served
from tests.relay.core.cast import Peer

REST = 3.0  # s of the time for which a function without servers is known


@pytest.fixture
def away(network: Network, server: Peer) -> Peer:
    """The back end that was there, and is gone."""
    server.leaves()
    network.settle()
    return server


def restarts(network: Network) -> Peer:
    """The first process is replaced by a new one, to which a page connects."""
    network.dies(0)
    network.join()
    return network.alice(1).frontend()


def test_a_process_that_restarts_holds_calls_of_a_function_whose_back_end_is_away(network: Network, away: Peer) -> None:
    page = restarts(network)
    page.calls(ADD)
    network.lives(1)
    page.assert_silent()
    back = network.alice(0).backend(ADD)
    network.settle()
    back.answers("back")
    network.settle()
    page.assert_received("result", id="c1", data="back")


def test_it_does_so_for_the_rest_of_the_time_and_tells_the_next_one_no_more(network: Network, away: Peer) -> None:
    network.lives(REMEMBERED - 2 * REST)
    restarts(network)
    network.lives(REST)
    page = restarts(network)  # nobody who has seen the back end is left
    page.calls(ADD, timeout=1_000)
    network.lives(1.2)
    page.assert_received("error", code="no_server_online")
    network.lives(REST)
    page.calls(ADD)
    page.assert_received("error", code="no_such_function")


def test_a_function_that_was_taken_back_is_not_told_of(network: Network, server: Peer) -> None:
    server.unregisters(ADD)
    network.settle()
    page = restarts(network)
    page.calls(ADD)
    page.assert_received("error", code="no_such_function")


def test_the_stranger_s_function_of_the_same_name_stays_unknown(network: Network, away: Peer) -> None:
    restarts(network)
    stranger = network.charlie(1).frontend()
    stranger.calls(ADD)
    stranger.assert_received("error", code="no_such_function")


def test_who_has_a_server_of_it_does_not_lose_it(network: Network, away: Peer) -> None:
    """The first process alone hears that there is a new back end; the other still tells that there is none."""
    network.loses(0, None)
    here = network.alice(0).backend(ADD)
    page = network.alice(0).frontend()
    there = network.nodes[1].mesh
    there.roster.asked(there.processes[network.nodes[0].mesh.id], 1)
    network.settle()
    served(network, page, here)
    network.lives(2)
    network.assert_quiet()


def test_ten_thousand_names_are_told_in_parts(network: Network) -> None:
    for number in range(10):
        network.alice(1).backend(*(f"crowd-{number}:function-{name}" for name in range(999))).leaves()
        network.lives(1)
    page = restarts(network)
    network.lives(1)
    assert len(network.alice(1).tenant.functions.lost) == 9_990
    page.calls("crowd-7:function-7", timeout=200)
    network.lives(0.3)
    page.assert_received("error", code="no_server_online")
