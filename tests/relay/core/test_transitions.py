"""Every arrow between a call's states is walked (TRANSITIONS in relay/core/calls.py); conftest.py sees to it that no
test of the core walks another one."""

from collections.abc import Callable

import pytest

from relay.core.calls import MOST_WAITING, TRANSITIONS, State
from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project
from tests.relay.core.journeys import Journeys

pytestmark = pytest.mark.interpreted  # Journeys replaces an attribute
KEY = {"idempotency_key": "key"}


def server_with(alice: Project, **options: object) -> Peer:
    server = alice.backend()
    server.offers("a:b", **options)
    return server


def lost(alice: Project) -> None:
    server_with(alice).leaves()


def new_to_running(alice: Project, page: Peer) -> None:
    server_with(alice)
    page.calls("a:b")


def new_to_held(alice: Project, page: Peer) -> None:
    lost(alice)
    page.calls("a:b")


def new_to_queued(alice: Project, page: Peer) -> None:
    server_with(alice, concurrency=1)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")


def new_to_following(alice: Project, page: Peer) -> None:
    server_with(alice)
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)


def new_to_ended(alice: Project, page: Peer) -> None:
    lost(alice)
    for number in range(MOST_WAITING + 1):
        page.calls("a:b", f"c{number}")


def held_to_running(alice: Project, page: Peer) -> None:
    new_to_held(alice, page)
    server_with(alice)


def held_to_queued(alice: Project, page: Peer) -> None:
    lost(alice)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    server_with(alice, concurrency=1)


def held_to_ended(alice: Project, page: Peer) -> None:
    new_to_held(alice, page)
    alice.relay.advances(5.2)


def queued_to_running(alice: Project, page: Peer) -> None:
    server = server_with(alice, concurrency=1)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    server.answers()


def queued_to_held(alice: Project, page: Peer) -> None:
    new_to_queued(alice, page)
    next(peer for peer in alice.relay.peers if peer.connection.serving).leaves()


def queued_to_ended(alice: Project, page: Peer) -> None:
    new_to_queued(alice, page)
    page.sends("cancel", id="c2")


def running_to_ended(alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b")
    server.answers()


def running_to_running(alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True)
    server_with(alice, idempotent=True)
    page.calls("a:b")
    server.leaves()


def running_to_held(alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True)
    page.calls("a:b")
    server.leaves()


def running_to_queued(alice: Project, page: Peer) -> None:
    server = server_with(alice, idempotent=True, concurrency=1)
    server_with(alice, idempotent=True, concurrency=1)
    page.calls("a:b", "c1")
    page.calls("a:b", "c2")
    server.leaves()


def following_to_ended(alice: Project, page: Peer) -> None:
    server = server_with(alice)
    page.calls("a:b", "c1", **KEY)
    page.calls("a:b", "c2", **KEY)
    server.answers()


WALKS: dict[tuple[State, State], Callable[[Project, Peer], None]] = {
    (before, after): globals()[f"{before.name.lower()}_to_{after.name.lower()}"]
    for before, arrows in TRANSITIONS.items()
    for after in arrows
}


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: f"{walk[0].name} to {walk[1].name}")
def test_the_arrow_is_walked(journeys: Journeys, walk: tuple[State, State]) -> None:
    alice = CoreRelay(Limits(in_flight=MOST_WAITING + 1)).alice
    WALKS[walk](alice, alice.frontend())
    assert walk in journeys.arrows


def test_a_call_that_has_ended_stays_so() -> None:
    assert TRANSITIONS[State.ENDED] == {}
