"""The orderly end of a relay process, on a clock by hand (GP-6)."""

import pytest

from relay.core.farewell import LONGEST, SERVES, SPREAD, UNDER_WAY, Farewell
from tests.relay.core.cast import CoreRelay, Peer, Project


class Ending:
    """A farewell, driven as the runtime drives it."""

    def __init__(self, relay: CoreRelay) -> None:
        self.relay = relay
        self.farewell = Farewell(relay.hub, relay.now)
        self.over = self.farewell.step(relay.now)

    def advances(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.relay.advances(0.1)
            answer_pings(self.relay)
            self.over = self.over or self.farewell.step(self.relay.now)


def answer_pings(relay: CoreRelay) -> None:
    for peer in relay.peers:
        while peer.inbox and peer.inbox[-1]["type"] == "ping":
            peer.inbox.pop()
            peer.sends("pong")


@pytest.fixture
def page(alice: Project) -> Peer:
    return alice.frontend()


@pytest.fixture
def server(alice: Project) -> Peer:
    return alice.backend("a:b")


def announced(peer: Peer) -> object:
    """The `after` of the early `bye`."""
    return peer.assert_received("bye", code="restarting", reconnect=True)["after"]


def test_servers_of_all_projects_move_before_front_ends(
    relay: CoreRelay, page: Peer, server: Peer, charlie: Project
) -> None:
    stranger, other = charlie.frontend(), charlie.backend("a:b")
    Ending(relay)
    assert [announced(peer) for peer in (server, other, page, stranger)] == [0, 1250, 2500, 3750]


def test_each_is_told_once_and_who_comes_later_within_the_time_that_is_left(
    relay: CoreRelay, page: Peer, server: Peer, alice: Project
) -> None:
    ending = Ending(relay)
    announced(page)
    announced(server)
    ending.advances(4)
    first, second = alice.frontend(), alice.frontend()
    ending.advances(0.1)
    assert announced(first) == 0
    assert announced(second) == pytest.approx(450, abs=1)
    ending.advances(1)
    for peer in (page, server, first, second):
        peer.assert_silent()


def test_with_nobody_there_it_is_over_at_once(relay: CoreRelay) -> None:
    assert Ending(relay).over


def test_it_ends_when_callers_have_moved_and_servers_are_idle(relay: CoreRelay, page: Peer, server: Peer) -> None:
    ending = Ending(relay)
    announced(server)
    page.leaves()
    ending.advances(SPREAD - 0.2)
    assert not ending.over
    ending.advances(UNDER_WAY + 0.4)
    assert ending.over
    server.assert_silent()


def test_calls_in_flight_are_waited_for(relay: CoreRelay, page: Peer, server: Peer) -> None:
    ending = Ending(relay)
    announced(page)
    announced(server)
    page.calls("a:b")
    ending.advances(SPREAD + 5)
    assert not ending.over
    server.answers(8, cmd="a:b")
    page.assert_received("result", data=8)
    page.leaves()
    ending.advances(1)
    assert ending.over


def test_a_call_whose_caller_is_gone_is_waited_for_as_well(relay: CoreRelay, page: Peer, server: Peer) -> None:
    """It has an idempotency key: the caller may ask again, elsewhere."""
    ending = Ending(relay)
    announced(server)
    page.calls("a:b", idempotency_key="order-1")
    page.leaves()
    ending.advances(SPREAD + 2)
    assert not ending.over
    server.answers(1, cmd="a:b")
    ending.advances(0.1)
    assert ending.over


def test_a_server_s_own_call_is_waited_for(relay: CoreRelay, server: Peer, alice: Project) -> None:
    other = alice.backend("slow")
    ending = Ending(relay)
    announced(server)
    announced(other)
    server.calls("slow")
    ending.advances(SPREAD + 2)
    other.answers("late", cmd="slow")
    server.assert_received("result", data="late")
    server.calls("slow", "c2")
    other.answers("later", cmd="slow")  # it has not left the rotation
    assert not ending.over
    ending.advances(1)
    assert ending.over


def test_who_stays_is_served_for_fifteen_seconds_and_kept_for_twenty(
    relay: CoreRelay, page: Peer, server: Peer
) -> None:
    ending = Ending(relay)
    announced(page)
    announced(server)
    ending.advances(SERVES - 0.2)
    page.calls("a:b")
    server.answers(1, cmd="a:b")
    page.assert_received("result")
    ending.advances(0.4)
    page.calls("a:b", "c2")
    server.assert_silent()  # held: another process may have it
    assert not ending.over
    ending.advances(LONGEST - SERVES)
    assert ending.over


def test_a_call_that_takes_too_long_ends_with_the_process(relay: CoreRelay, page: Peer, server: Peer) -> None:
    ending = Ending(relay)
    announced(server)
    page.calls("a:b", timeout=60_000)
    ending.advances(LONGEST - 0.2)
    assert not ending.over
    ending.advances(0.3)
    assert ending.over


def test_a_hello_under_way_is_let_in_and_told(alice: Project) -> None:
    relay = CoreRelay(slow_directory=True)
    late = relay.alice.peer()
    late.says_hello(relay.alice.public_key)
    ending = Ending(relay)
    ending.advances(1)
    relay.look_up()
    late.assert_received("welcome")
    assert not ending.over
    ending.advances(0.1)
    assert announced(late) == 0
