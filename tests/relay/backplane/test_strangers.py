"""What another process says of Alice's project changes nothing of Charlie's, though hers may not be here at all."""

import pytest
from msgspec import Raw

from relay.backplane.messages import (
    AnyEntry,
    AskOne,
    Find,
    ForPeer,
    Found,
    FromPeer,
    Published,
    Receivers,
    Server,
    unpack,
)
from relay.core import frames
from tests.relay.backplane.network import ADD, Network, handed
from tests.relay.core.cast import Peer, Received

SESSION = "session-of-a-page-16"
ALICE = "aliceproject"
DATA = Raw(b'"secret"')
HEADER = Raw(b"{}")


@pytest.fixture(params=["elsewhere", "here too"])
def network(request: pytest.FixtureRequest) -> Network:
    """Charlie is at both processes; Alice is at none yet, or at both, without a back end."""
    network = Network(2)
    if request.param == "here too":
        for number in (0, 1):
            network.alice(number).frontend()
    return network


@pytest.fixture
def page(network: Network) -> Peer:
    return network.charlie(0).frontend(session=SESSION)


@pytest.fixture
def server(network: Network) -> Peer:
    server = network.charlie(1).backend(ADD)
    network.settle()
    return server


def tells(network: Network, entry: AnyEntry, source: int = 0, *, to_all: bool = False) -> list[AnyEntry]:
    """One process tells this to the other, or to all. Returns what was said from then on."""
    mesh = network.nodes[source].mesh
    mesh.put(mesh.everyone if to_all else mesh.processes[network.nodes[1 - source].mesh.id].outgoing, entry)
    network.tells()
    return [entry for _, payload in network.told for entry in unpack(payload)[0].entries][1:]


def forwards(network: Network, server: Peer, frame: frames.Out) -> list[AnyEntry]:
    """A frame for a peer of Alice's that has the id of Charlie's server."""
    return tells(network, ForPeer(ALICE, server.connection.id, frames.encode(frame)))


def test_a_message_reaches_nobody_and_is_not_counted(network: Network, page: Peer, server: Peer) -> None:
    """Alice's program publishes over HTTP, which tells no other process of her project."""
    listeners = [page, network.charlie(1).frontend()]
    for listener in listeners:
        listener.subscribes("news")
    publisher = network.alice(0).by_http("alice-private")
    publisher.asks(frames.Publish(id="p", channel="news", data=DATA))
    network.settle()
    publisher.assert_received("result", id="p", data={"receivers": 0})
    assert tells(network, Published(ALICE, "news", b"{}", "", 7), to_all=True) == [Receivers(7, 0)]
    for listener in listeners:
        listener.assert_silent()
    assert network.nodes[1].relay.hub.totals.delivered == 0


@pytest.mark.parametrize("by", ["session", "connection"])
def test_a_front_end_is_not_found(network: Network, by: str) -> None:
    stranger = network.charlie(1).frontend(session=SESSION)
    session, connection = (SESSION, None) if by == "session" else (None, stranger.connection.id)
    assert tells(network, Find(7, ALICE, session, connection), to_all=True) == [Found(7, [])]
    assert tells(network, Find(8, "charlieproject", session, connection), to_all=True) != [Found(8, [])]


def test_a_forwarded_call_is_given_back(network: Network, page: Peer, server: Peer) -> None:
    [answer] = forwards(network, server, frames.CallOut(id="9", cmd=ADD, data=DATA, timeout=1000, header=HEADER))
    assert isinstance(answer, FromPeer)
    assert answer.project == ALICE
    assert b'"not_taken"' in answer.frame
    server.assert_silent()


def test_a_forwarded_send_reaches_nobody(network: Network, server: Peer) -> None:
    assert forwards(network, server, frames.SendOut(cmd=ADD, data=DATA, header=HEADER)) == []
    server.assert_silent()


def test_a_cancel_ends_no_call(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    [forwarded] = network.charlie(0).tenant.calls.running
    forwards(network, server, frames.CancelOut(id=forwarded))
    assert_goes_on(network, page, server, call)


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "result", "data": "secret"},
        {"type": "progress", "data": "secret"},
        {"type": "error", "code": "app_error", "message": "secret"},
        {"type": "error", "code": "not_taken", "message": ""},
    ],
    ids=lambda answer: str(answer.get("code", answer["type"])),
)
def test_an_answer_ends_no_call(network: Network, page: Peer, server: Peer, answer: Received) -> None:
    call = handed(network, page, server)
    [running] = network.charlie(0).tenant.calls.running
    tells(network, FromPeer(ALICE, frames.encode({**answer, "id": running})), source=1)
    assert_goes_on(network, page, server, call)


def test_a_lost_call_is_not_made_again_as_another_s(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    [running] = network.charlie(0).tenant.calls.running
    network.loses(0, 1)
    forwards(network, server, frames.CallOut(id=running, cmd=ADD, data=DATA, timeout=1000, header=HEADER))
    network.lives(1.0)
    assert network.nodes[1].mesh.lost == 1
    assert_goes_on(network, page, server, call)


def test_a_server_is_not_told_of(network: Network, page: Peer, server: Peer) -> None:
    assert tells(network, AskOne(ALICE, server.connection.id)) == []
    [told] = tells(network, AskOne("charlieproject", server.connection.id))
    assert isinstance(told, Server)


def test_a_new_server_takes_no_calls(network: Network, page: Peer) -> None:
    """Whether Alice's project was here before her back end was told of, or not."""
    offered = network.alice(1).backend(ADD)
    network.settle()
    page.calls(ADD)
    network.settle()
    page.assert_received("error", id="c1", code="no_such_function")
    page.sends("send", cmd=ADD)
    network.settle()
    page.assert_received("notice", code="no_such_function")
    offered.assert_silent()


def assert_goes_on(network: Network, page: Peer, server: Peer, call: str) -> None:
    """Nobody has heard of the call since it was handed over, and it is answered."""
    page.assert_silent()
    server.assert_silent()
    server.sends("result", id=call, data="sum")
    network.settle()
    page.assert_received("result", id="c1", data="sum")
    page.assert_silent()
