"""What a back end's frames make a process tell all others is bounded, and everybody knows everybody all the same."""

import msgspec
import pytest

from relay.backplane.announcements import AT_ONCE, GATHERED, MOST_NAMES, PART, PROJECT_BURST, PROJECT_RATE
from relay.backplane.messages import AnyEntry, Ask, AskOne, Beat, Changed, Find, Server, unpack
from tests.relay.backplane.network import ADD, Network, served
from tests.relay.core.cast import TICK, Peer, Project

BEAT = 200  # bytes
REGISTERS = 215  # a second


def crowded(project: Project, functions: int = 999) -> Peer:
    """A back end with many functions."""
    return project.backend(*(f"crowd:function-{number}" for number in range(functions)))


def told(network: Network) -> list[AnyEntry]:
    """What was told to all since `tells`, but for beats."""
    entries = [entry for to, payload in network.told if not to for entry in unpack(payload)[0].entries]
    return [entry for entry in entries if not isinstance(entry, Beat)]


@pytest.fixture
def crowd(network: Network) -> Peer:
    server = crowded(network.alice(1))
    network.lives(5)
    return server


def test_one_register_tells_one_function_however_many_there_are(network: Network, crowd: Peer) -> None:
    crowd.registers("one:more")
    assert network.tells() < BEAT
    network.assert_agreed()


def test_a_flood_of_registers_is_gathered(network: Network, crowd: Peer) -> None:
    network.told.clear()
    for number in range(5 * REGISTERS):
        crowd.registers(f"crowd:function-{number % 999}")
        network.lives(TICK) if number % 10 == 0 else network.settle()
    seconds = 5 * REGISTERS / 10 * TICK
    changes = [entry for entry in told(network) if isinstance(entry, Changed)]
    assert len(changes) <= AT_ONCE / GATHERED + seconds / GATHERED + 1
    assert sum(len(change.functions) for change in changes) <= 5 * REGISTERS
    network.lives(GATHERED)
    network.assert_agreed()


def test_a_new_back_end_is_told_at_once_and_so_are_its_first_registers(network: Network) -> None:
    server = network.alice(1).backend()
    network.settle()
    for number in range(int(AT_ONCE / GATHERED)):
        server.registers(f"fresh:function-{number}")
        network.settle()
        network.assert_agreed()
    server.registers("fresh:late")
    network.settle()
    assert "fresh:late" not in network.alice(0).tenant.functions.by_name
    network.lives(GATHERED + TICK)
    network.assert_agreed()


def test_a_drain_is_told_at_once_though_registers_are_gathered_and_only_once(network: Network, crowd: Peer) -> None:
    for number in range(20):
        crowd.registers(f"crowd:function-{number}")
        network.settle()
    crowd.drains()
    network.settle()
    network.assert_agreed()
    for _ in range(100):
        crowd.drains()
    assert network.tells() == 0


def test_a_back_end_that_comes_and_goes_at_once_is_not_told_of(network: Network) -> None:
    for _ in range(100):
        network.alice(1).backend(ADD).leaves()
    assert network.tells() == 0


def test_subscriptions_are_told_to_nobody(network: Network, page: Peer) -> None:
    for number in range(100):
        page.subscribes(f"news-{number}")
        page.sends("unsubscribe", id="unsub", channels=[f"news-{number}"])
        page.assert_received("result", id="unsub")
    assert network.tells() == 0


def test_unregistering_what_one_does_not_have_tells_nothing(network: Network, crowd: Peer) -> None:
    crowd.unregisters("no:such")
    assert network.tells() == 0


def test_the_back_ends_of_one_project_tell_so_many_bytes_a_second(network: Network) -> None:
    servers = [crowded(network.charlie(1)) for _ in range(20)]
    network.told.clear()
    for _ in range(10):
        for server in servers:
            server.registers(*(f"crowd:function-{number}" for number in range(999)))
        network.lives(TICK)
    assert sum(len(payload) for _, payload in network.told) < 1.1 * PROJECT_RATE * (PROJECT_BURST + 10 * TICK)
    network.lives(10)
    network.assert_agreed()


def test_names_that_come_and_go_do_not_pile_up(network: Network, page: Peer) -> None:
    crowd, other = network.charlie(1).backend(ADD), network.charlie(0).frontend()
    network.settle()
    other.calls(ADD, data="under way")
    network.settle()
    call = crowd.assert_received("call")
    announcements = network.nodes[1].mesh.roster.announcements
    for number in range(30):
        names = [f"passing:{number}-{name}" for name in range(900)]
        crowd.registers(*names)
        crowd.unregisters(*names)
        network.lives(TICK)
        assert len(announcements.changes[crowd.connection].names) <= MOST_NAMES
    crowd.sends("result", id=call["id"], data="done")
    network.lives(20)
    other.assert_received("result", id="c1", data="done")
    network.assert_quiet()


def test_another_project_is_told_of_after_one_part_at_most(network: Network) -> None:
    for _ in range(10):
        crowded(network.charlie(1))
    network.alice(1).backend(ADD)
    network.told.clear()
    network.carries(1)
    first = unpack(network.told[0][1])[0].entries
    assert any(isinstance(entry, Server) and entry.project == "aliceproject" for entry in first)
    assert max(len(payload) for _, payload in network.told) < 2 * PART
    network.settle()
    network.assert_agreed()


def test_calls_go_in_between_what_is_told_of_a_crowd(network: Network, page: Peer, server: Peer) -> None:
    for _ in range(10):
        crowded(network.charlie(0))
    page.calls(ADD)
    network.told.clear()
    network.carries(0)
    assert ["" if to == "" else "one" for to, _ in network.told][:3] == ["", "one", ""]


def test_names_that_others_let_in_are_not_counted_twice(network: Network) -> None:
    most = network.nodes[0].relay.limits.function_bytes
    for number in (0, 1):
        for _ in range(8):
            crowded(network.alice(number))
        network.alice(number).tenant.functions.most_bytes = network.alice(number).tenant.functions.bytes
    network.lives(10)
    network.assert_agreed()
    for node in network.nodes:
        assert 0 < node.relay.alice.tenant.functions.bytes < most


# --- asked anew -------------------------------------------------------------------------------------------------------


def test_a_lost_change_is_asked_for(network: Network, crowd: Peer) -> None:
    network.loses(1, None)
    crowd.registers("one:more")
    crowd.unregisters("crowd:function-7")
    network.settle()
    crowd.registers("and:more")
    network.settle()
    network.lives(0.7)
    network.assert_agreed()


def test_a_long_answer_comes_in_parts_and_is_whole_though_servers_change_meanwhile(network: Network) -> None:
    crowds = [crowded(network.alice(1)) for _ in range(5)]
    network.lives(10)
    here, there = (node.mesh for node in network.nodes)
    process = here.processes[there.id]
    process.complete = False
    here.put(process.outgoing, Ask(process.asked))
    asked = here.take()
    assert asked is not None
    there.receive(asked[1], network.now)
    parts = 0
    while (batch := there.take()) is not None:
        here.receive(batch[1], network.now)
        parts += batch[0] == here.id
        crowds[parts % 5].registers(f"crowd:function-{parts}")
        crowds[parts % 5].unregisters(f"crowd:function-{parts + 500}")
    assert parts == 5
    network.assert_agreed()


@pytest.mark.parametrize("lost", range(1, 8))
def test_a_lost_part_of_an_answer_is_asked_for_again(network: Network, lost: int) -> None:
    for _ in range(5):
        crowded(network.alice(0))
    network.lives(10)
    network.losing[network.nodes[0].mesh.id, "relay-3-"] = lost
    network.join()
    network.lives(3)
    network.assert_agreed()


def test_who_refuses_a_call_is_asked_alone(network: Network, page: Peer, server: Peer) -> None:
    network.lives(1)
    network.told.clear()
    page.calls(ADD, timeout=1_000)
    network.carries(0)
    server.drains()
    network.lives(0.6)
    entries = [entry for to, payload in network.told if to for entry in unpack(payload)[0].entries]
    assert [type(entry) for entry in entries if isinstance(entry, Ask | AskOne | Server)] == [AskOne, Server]
    network.assert_agreed()


def test_looking_for_a_front_end_asks_each_process_once(network: Network, page: Peer, server: Peer) -> None:
    network.told.clear()
    server.calls("show", to={"session": page.connection.session})
    network.settle()
    finds = [entry for entry in told(network) if isinstance(entry, Find)]
    assert len(finds) == 1
    assert len(msgspec.msgpack.encode(finds)) < BEAT
    page.assert_received("call")


def test_calls_go_on_while_a_crowd_comes(network: Network, page: Peer, server: Peer) -> None:
    for _ in range(5):
        crowded(network.charlie(1))
    served(network, page, server)


# --- calls and messages -----------------------------------------------------------------------------------------------

LARGE = "x" * 1_000_000


def test_calls_of_one_project_do_not_shut_another_out(network: Network, page: Peer, server: Peer) -> None:
    """Charlie's calls fill what may wait for the other process, and Alice's take their turn among them."""
    network.charlie(1).backend(ADD)
    network.settle()
    stranger = network.charlie(0).frontend()
    for number in range(80):
        stranger.calls(ADD, f"c{number}", data=LARGE)
    assert "relay_unavailable" in {frame["code"] for frame in stranger.inbox}
    page.calls(ADD, data="mine")
    network.told.clear()
    batch = network.nodes[0].mesh.take()
    second = network.nodes[0].mesh.take()
    assert batch is not None
    assert second is not None
    assert b"mine" in batch[1] + second[1]
    network.nodes[1].mesh.receive(batch[1], network.now)
    network.nodes[1].mesh.receive(second[1], network.now)
    network.settle()
    server.answers("done", data="mine")
    network.settle()
    page.assert_received("result", id="c1", data="done")


def test_publishes_of_one_project_do_not_shut_another_out(network: Network, page: Peer, server: Peer) -> None:
    page.subscribes("news")
    stranger = network.charlie(1).backend()
    for _ in range(80):
        stranger.sends("publish", channel="news", data=LARGE)
    assert "relay_unavailable" in {frame["code"] for frame in stranger.inbox}
    server.sends("publish", channel="news", data="mine", id="p")
    first = [network.nodes[1].mesh.take() for _ in range(3)]
    assert any(batch is not None and b"mine" in batch[1] for batch in first)
    for batch in first:
        assert batch is not None
        for node in network.nodes:
            node.mesh.receive(batch[1], network.now)
    network.settle()
    page.assert_received("message", data="mine")
    server.assert_received("result", id="p", data={"receivers": 1})


def test_nothing_is_left_of_questions_that_were_answered(network: Network, page: Peer, server: Peer) -> None:
    server.calls("show", to={"session": page.connection.session})
    server.sends("publish", channel="news", data=1, id="p")
    server.sends("publish", channel="news", data=1, id="q")
    assert network.nodes[1].mesh.questions.waiting
    network.settle()
    assert not network.nodes[1].mesh.questions.waiting
