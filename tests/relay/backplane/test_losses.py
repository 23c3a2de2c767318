"""A batch is lost, comes twice or cannot be read: never in silence, and each call has one outcome (GP-10, GP-11)."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.backplane.messages import Ask, Batch, Beat, ForPeer, FromPeer, Leaving, pack
from tests.relay.backplane.network import ADD, Network, handed, served
from tests.relay.core.cast import Peer

CALLS = ("answered", "told", "cancelled", "late")


class Story:
    """A bit of all that processes tell each other."""

    def __init__(self, network: Network) -> None:
        self.network, self.runs = network, dict.fromkeys(CALLS, 0)
        self.page, self.watcher = network.alice(0).frontend(), network.alice(0).backend()
        self.server, self.other = network.alice(1).backend(ADD), network.alice(1).backend("other:function")
        self.published = 0

    def happens(self) -> None:
        self.page.subscribes("news")
        self.network.lives(1.6)  # whatever was lost until now is mended
        for call in CALLS:
            self.page.calls(ADD, call, data=call, timeout=1_000 if call == "late" else 3_000)
            self.network.settle()
        self.page.sends("cancel", id="cancelled")
        self.server.sends("publish", id="p", channel="news", data="hello")
        self.network.settle()
        self.other.leaves()
        self.watcher.registers("third:function")
        self.server_answers("told")
        self.server_answers("answered")
        for _ in range(35):
            self.network.lives(0.1)
            self.server_answers("told")
            self.server_answers("answered")

    def server_answers(self, call: str) -> None:
        """It does so in two batches, if it was called."""
        for frame in [frame for frame in self.server.inbox if frame["type"] == "call" and frame["data"] == call]:
            self.server.inbox.remove(frame)
            self.runs[call] += 1
            self.server.sends("progress", id=frame["id"], data=1)
            self.network.settle()
            self.server.sends("result", id=frame["id"], data=2)
            self.network.settle()

    def assert_kept(self) -> None:
        """Each call has one outcome, none ran twice, and everybody knows everybody."""
        outcomes = sorted(frame["id"] for frame in self.page.inbox if frame["type"] in ("result", "error"))
        assert outcomes == sorted(CALLS)
        assert max(self.runs.values()) == 1
        for call in ("cancelled", "late"):
            assert len([frame for frame in self.server.inbox if frame.get("data") == call]) <= 1
        assert len([frame for frame in self.server.inbox if frame.get("id") == "p"]) == 1
        self.network.assert_quiet()


def length_of_the_story() -> int:
    network = Network(2)
    Story(network).happens()
    return network.published  # what is lost later would be noticed later


@pytest.mark.parametrize("where", ["nowhere", "here", "there"])
def test_whatever_one_batch_is_lost_each_promise_is_kept(where: str) -> None:
    """For each batch in turn: it arrives nowhere, or not at one of the two."""
    first = Network(2).published
    for number in range(first + 1, length_of_the_story() + 1):
        network = Network(2)
        network.losing_number = number
        network.losing_at = {"nowhere": [0, 1], "here": [0], "there": [1]}[where]
        story = Story(network)
        story.happens()
        network.lives(1)
        story.assert_kept()
        assert sum(node.mesh.lost for node in network.nodes) == network.lost_for_somebody


# --- one kind after the other -----------------------------------------------------------------------------------------


def test_a_call_in_a_lost_batch_goes_again_though_its_function_is_not_idempotent(
    network: Network, page: Peer, server: Peer
) -> None:
    network.loses(0, 1)
    page.calls(ADD, data="once")
    network.settle()
    server.assert_silent()
    network.lives(0.7)
    server.answers("done", data="once")
    network.settle()
    page.assert_received("result", id="c1", data="done")
    server.assert_silent()
    assert network.nodes[1].mesh.lost == 1
    assert network.alice(0).tenant.requests == 1


def test_a_lost_batch_is_noticed_by_the_next_one(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.calls(ADD, "lost", data="lost")
    network.settle()
    page.calls(ADD, "next", data="next")
    network.settle()
    assert [frame["data"] for frame in server.inbox] == ["next", "lost"]


def test_a_call_in_a_lost_batch_whose_server_has_gone_waits_for_another(
    network: Network, page: Peer, server: Peer
) -> None:
    network.loses(0, 1)
    page.calls(ADD)
    network.settle()
    server.leaves()
    network.lives(0.7)
    page.assert_silent()
    network.alice(0).backend(ADD).answers("done")
    page.assert_received("result", id="c1", data="done")


def test_a_lost_result_comes_again(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.loses(1, 0)
    server.sends("result", id=call, data="here")
    network.lives(0.7)
    page.assert_received("result", id="c1", data="here")
    assert network.nodes[0].mesh.lost == 1


def test_a_lost_error_comes_again(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.loses(1, 0)
    server.sends("error", id=call, code="rejected", message="no")
    network.lives(0.7)
    page.assert_received("error", id="c1", code="rejected", message="no")


def test_lost_progress_does_not_come_behind_what_came_later(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.loses(1, 0)
    server.sends("progress", id=call, data=1)
    network.settle()
    server.sends("progress", id=call, data=2)
    network.lives(0.7)
    page.assert_received("progress", data=2, missed=1)
    page.assert_silent()
    assert network.nodes[1].mesh.dropped == 1


def test_a_caller_is_told_how_much_progress_was_lost_and_before_what(
    network: Network, page: Peer, server: Peer
) -> None:
    call = handed(network, page, server)
    for number in range(1, 8):
        if number in (2, 3, 5, 7):
            network.loses(1, 0)
        server.sends("progress", id=call, data=number)
        network.settle()
    server.sends("result", id=call, data="done")
    network.lives(0.7)
    told = [(frame.get("data"), frame.get("missed", 0)) for frame in page.inbox if frame["type"] != "ping"]
    assert told == [(1, 0), (4, 2), (6, 1), ("done", 1)]


def test_progress_of_another_run_is_numbered_anew(network: Network, page: Peer) -> None:
    network.join()
    first, second = (network.alice(number).backend() for number in (1, 2))
    for server in (first, second):
        server.offers(ADD, idempotent=True, policy="first")
        network.settle()
    call = handed(network, page, first)
    for number in range(3):
        first.sends("progress", id=call, data=number)
    network.settle()
    first.leaves()
    network.settle()
    call = str(second.assert_received("call")["id"])
    network.loses(2, 0)
    second.sends("progress", id=call, data="lost")
    network.settle()
    second.sends("progress", id=call, data="anew")
    network.settle()
    told = [(frame["data"], frame.get("missed", 0)) for frame in page.inbox]
    assert told == [(0, 0), (1, 0), (2, 0), ("anew", 1)]


def test_a_lost_cancel_comes_again(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.loses(0, 1)
    page.sends("cancel", id="c1")
    network.lives(0.7)
    page.assert_received("error", code="cancelled")
    server.assert_received("cancel", id=call)


def test_a_lost_send_is_counted(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.sends("send", cmd=ADD)
    network.lives(0.7)
    server.assert_silent()
    assert (network.nodes[1].mesh.lost, network.nodes[0].mesh.dropped) == (1, 1)


def test_that_a_batch_was_lost_is_told_though_that_is_lost_too(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.calls(ADD)
    network.settle()
    network.loses(1, 0)
    network.lives(1.7)
    server.answers("done")
    network.settle()
    page.assert_received("result", id="c1", data="done")


def test_a_server_whose_coming_was_lost_is_known_a_second_later(network: Network, page: Peer) -> None:
    network.loses(1, None)
    server = network.alice(1).backend(ADD)
    network.settle()
    assert not network.nodes[0].known_servers()
    network.lives(0.7)
    served(network, page, server)


def test_a_server_whose_leave_was_lost_is_forgotten_a_second_later(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.loses(1, None)
    server.leaves()
    network.settle()
    network.lives(0.7)
    network.assert_quiet()
    page.assert_received("error", id="c1", code="callee_lost")


def test_a_server_that_went_is_not_told_of_by_an_older_answer(network: Network, page: Peer, server: Peer) -> None:
    here, there = network.nodes
    here.mesh.put(here.mesh.processes[there.mesh.id].outgoing, Ask(1))
    network.carries(0)
    there.mesh.receive(there.arrived.popleft(), network.now)
    server.leaves()
    network.settle()
    assert not here.known_servers()


def test_servers_are_asked_for_until_they_are_told(network: Network, page: Peer) -> None:
    network.loses(1, None)
    server = network.alice(1).backend(ADD)
    network.settle()
    network.loses(1, 0, batches=2)
    network.lives(1.7)
    served(network, page, server)


def test_a_process_that_was_given_up_is_told_so_though_that_is_lost(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.freezes(0)
    network.lives(10)
    network.loses(1, 0)
    network.goes_on(0)
    network.lives(1.5)
    page.assert_received("error", id="c1", code="callee_lost")
    server.assert_received("cancel", id=call)
    network.assert_quiet()


def test_a_call_that_met_a_draining_server_on_its_way_goes_elsewhere(
    network: Network, page: Peer, server: Peer
) -> None:
    other = network.alice(1).backend(ADD)
    network.settle()
    for number in range(2):
        page.calls(ADD, f"c{number}", data=number)
    server.drains()
    network.settle()
    server.assert_silent()
    assert sorted(other.answers()["data"] for _ in range(2)) == [0, 1]
    network.settle()
    assert {frame["type"] for frame in page.inbox} == {"result"}


def test_a_call_that_met_a_gone_server_on_its_way_waits_for_one_that_comes(
    network: Network, page: Peer, server: Peer
) -> None:
    page.calls(ADD, data="patient")
    server.leaves()
    network.settle()
    page.assert_silent()
    again = network.alice(1).backend(ADD)
    network.settle()
    again.answers("done", data="patient")
    network.settle()
    page.assert_received("result", id="c1", data="done")
    assert network.alice(0).tenant.requests == 1


def test_a_server_that_answers_and_leaves_has_answered(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    server.sends("result", id=call, data="the last word")
    server.leaves()
    network.settle()
    page.assert_received("result", id="c1", data="the last word")
    page.assert_silent()


def test_a_server_leaves_and_then_its_process_dies(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.loses(1, 0)
    server.leaves()
    network.settle()
    network.dies(1)
    network.lives(2.7)
    page.assert_received("error", id="c1", code="callee_lost")
    network.assert_quiet()


def test_calls_that_wait_are_not_given_to_the_other_server_of_a_dead_process(network: Network, page: Peer) -> None:
    for _ in range(2):
        network.alice(1).backend().offers(ADD, concurrency=1)
        network.settle()
    for number in range(3):
        page.calls(ADD, f"c{number}", data=number)
    network.settle()
    network.dies(1)
    network.lives(2.7)
    assert [frame["id"] for frame in page.inbox] == ["c0", "c1"]
    network.alice(0).backend(ADD).answers("done", data=2)
    assert page.inbox[-1]["data"] == "done"


def test_a_call_queued_at_a_server_that_drains_goes_elsewhere(network: Network, page: Peer) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    near = network.alice(1).frontend()
    near.calls(ADD, "near")
    page.calls(ADD, data="queued there")
    network.settle()
    assert len(server.inbox) == 1
    server.sends("drain")
    other = network.alice(0).backend(ADD)
    network.settle()
    other.answers("done", data="queued there")
    page.assert_received("result", id="c1", data="done")


def test_who_refuses_a_call_is_not_asked_again_before_it_says_so(network: Network, page: Peer, server: Peer) -> None:
    network.loses(1, None)
    server.drains()
    network.settle()
    before = network.published
    page.calls(ADD)
    network.settle()
    assert network.published - before == 2
    network.lives(5.5)
    page.assert_received("error", id="c1", code="no_server_online")


# --- twice, out of order, unreadable, forged --------------------------------------------------------------------------


def test_a_batch_that_comes_twice_counts_once(network: Network, page: Peer, server: Peer) -> None:
    page.calls(ADD)
    network.settle()
    network.replays(1)
    server.answers("done")
    server.assert_silent()
    network.settle()
    network.replays(0)
    page.assert_received("result", id="c1", data="done")
    page.assert_silent()


def test_our_own_messages_that_come_back_twice_are_delivered_once(network: Network, page: Peer, server: Peer) -> None:
    server.subscribes("news")
    server.sends("publish", channel="news", data=1)
    network.settle()
    network.replays(1)
    network.settle()
    server.assert_received("message", data=1)
    server.assert_silent()


def test_a_batch_of_an_older_stream_is_dropped(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    old = network.nodes[1].came[-1]
    network.separates()
    network.lives(3)
    network.joins()
    network.lives(1.5)
    server.inbox.clear()
    network.nodes[1].mesh.receive(old, network.now)
    network.settle()
    server.assert_silent()
    network.assert_quiet()


def test_batches_in_a_wrong_order_lose_what_came_too_late(network: Network, page: Peer, server: Peer) -> None:
    page.calls(ADD, data="first")
    batches = [network.nodes[0].mesh.take()]
    page.calls(ADD, "c2", data="second")
    batches.append(network.nodes[0].mesh.take())
    for batch in reversed(batches):
        assert batch is not None
        network.nodes[1].mesh.receive(batch[1], network.now)
    network.settle()
    assert [frame["data"] for frame in server.inbox] == ["second", "first"]
    assert network.nodes[1].mesh.lost == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64) | st.lists(st.integers(-9, 9) | st.text() | st.none()).map(msgspec.msgpack.encode))
@example(b"\x95\xa5\x00\x00\x00\x00\x80")  # a text that is not UTF-8
def test_what_is_no_batch_is_counted_and_hurts_nobody(payload: bytes) -> None:
    mesh = Network(1).nodes[0].mesh
    mesh.receive(payload, 1_000.0)
    assert mesh.unread == 1
    assert not mesh.processes


def test_entries_of_a_newer_version_are_passed_over_and_the_others_count(
    network: Network, page: Peer, server: Peer
) -> None:
    page.calls(ADD)
    taken = network.nodes[0].mesh.take()
    assert taken is not None
    source, destination, stream, number, entries = msgspec.msgpack.decode(taken[1])
    entries = [["teleport", 5], *entries, ["ask", 1, [0, 0], "a field more"], ["to"], 7]
    network.nodes[1].mesh.receive(pack([source, destination, stream, number, entries]), network.now)
    server.assert_received("call", cmd=ADD)
    assert network.nodes[1].mesh.unread == 3
    network.lives(1)
    assert network.nodes[1].mesh.lost == 0


@pytest.mark.parametrize(
    "entry",
    [
        ForPeer("aliceproject", "relay-2-connection-1", b"garbage"),
        ForPeer("aliceproject", "relay-2-connection-1", b'{"type":"dance"}'),
        FromPeer("aliceproject", b"garbage"),
        FromPeer("aliceproject", b'{"type":"result"}'),
        FromPeer("aliceproject", b'{"type":"hello","key":"x"}'),
    ],
)
def test_frames_of_a_newer_version_are_passed_over(
    network: Network, page: Peer, server: Peer, entry: ForPeer | FromPeer
) -> None:
    mesh = network.nodes[1].mesh
    outgoing = network.nodes[0].mesh.processes[mesh.id].outgoing
    outgoing.put(entry)
    served(network, page, server)
    assert mesh.unread == 1


def test_a_result_from_a_process_where_the_call_does_not_run_is_dropped(network: Network) -> None:
    page, server = network.alice(0).frontend(), network.alice(1).backend(ADD)
    forger = network.join()
    call = handed(network, page, server)
    mesh = network.nodes[0].mesh
    for frame in (b'{"type":"result","id":"%s"}', b'{"type":"error","id":"%s"}', b'{"type":"progress","id":"%s"}'):
        forger.mesh.processes[mesh.id].outgoing.put(FromPeer("aliceproject", frame.replace(b"%s", call.encode())))
    network.settle()
    page.assert_silent()
    server.sends("result", id=call, data="true")
    network.settle()
    page.assert_received("result", id="c1", data="true")


def test_a_call_that_comes_twice_runs_once(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    mesh = network.nodes[0].mesh
    frame = b'{"type":"call","id":"%s","cmd":"calculator:add","data":1,"timeout":9,"header":{}}'
    again = ForPeer("aliceproject", server.connection.id, frame.replace(b"%s", call.encode()))
    mesh.processes[network.nodes[1].mesh.id].outgoing.put(again)
    network.settle()
    server.assert_silent()


def test_an_unknown_process_is_asked_and_one_that_never_comes_back_is_forgotten(network: Network) -> None:
    stranger = pack(Batch("stranger", "", 1, 1, [Beat(7, {}, {}), Ask(1)]))
    network.nodes[0].mesh.receive(stranger, network.now)
    assert "stranger" in network.nodes[0].mesh.processes
    network.lives(2.5)
    network.assert_quiet()
    network.nodes[0].mesh.receive(pack(Batch("stranger", "", 1, 2, [Leaving()])), network.now)
    network.assert_quiet()


# --- more than fits ---------------------------------------------------------------------------------------------------

MEGABYTE = "x" * 1_000_000


def test_calls_to_a_process_for_which_too_much_waits_end_at_once(network: Network, page: Peer, server: Peer) -> None:
    for number in range(80):
        page.calls(ADD, f"c{number}", data=MEGABYTE)
    refused = [frame["id"] for frame in page.inbox if frame["code"] == "relay_unavailable"]
    assert refused == [f"c{number}" for number in range(80 - len(refused), 80)]
    assert 16 <= 80 - len(refused) <= 18
    network.settle()
    assert len(server.inbox) == 80 - len(refused)
    server.inbox.clear()
    network.lives(0.1)
    page.inbox.clear()
    served(network, page, server)


def test_calls_go_elsewhere_when_too_much_waits_for_a_process(network: Network, page: Peer, server: Peer) -> None:
    other = network.alice(0).backend(ADD)
    for number in range(160):
        page.calls(ADD, f"c{number}", data=MEGABYTE)
    page.assert_silent()
    network.settle()
    assert len(other.inbox) + len(server.inbox) == 160
    assert len(server.inbox) < 70


def test_results_for_which_there_is_no_room_become_errors(network: Network, page: Peer, server: Peer) -> None:
    for number in range(80):
        page.calls(ADD, f"c{number}")
    network.settle()
    for _ in range(80):
        call = server.answers(MEGABYTE)
        server.sends("progress", id=call["id"], data=1)
    network.settle()
    codes = [frame.get("code", "result") for frame in page.inbox]
    assert len(codes) == 80
    assert set(codes) == {"result", "relay_unavailable"}
    assert network.nodes[1].mesh.dropped == codes.count("relay_unavailable")
    assert all("has ended" in frame["message"] for frame in page.inbox if "code" in frame)
    assert network.alice(0).tenant.requests == codes.count("result")  # what is refused is free (GP-40)


def test_a_keyed_call_whose_answer_found_no_room_does_not_run_again(network: Network, server: Peer) -> None:
    page = network.alice(0).frontend(session="the-session-of-a-page")
    for number in range(20):
        page.calls(ADD, f"c{number}", idempotency_key=f"k{number}")
    network.settle()
    for _ in range(20):
        server.answers(MEGABYTE)
    network.settle()
    refused = [frame["id"] for frame in page.inbox if frame.get("code") == "relay_unavailable"]
    assert refused
    page.inbox.clear()
    page.calls(ADD, refused[0], idempotency_key=refused[0].replace("c", "k"))
    network.settle()
    page.assert_received("error", code="relay_unavailable")
    server.assert_silent()
