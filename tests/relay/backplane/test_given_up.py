"""Who took another process for dead says so by a new stream; nothing can come between that and its next calls."""

from tests.relay.backplane.network import ADD, Network
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
