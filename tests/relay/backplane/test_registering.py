"""Once a `register` is answered, a call through any process finds the function; and it is answered in time (GP-58)."""

import itertools

import pytest

from relay.backplane.announcements import AT_ONCE, GATHERED, KNOWN_WITHIN, MOST_UNANSWERED
from relay.backplane.messages import Known, unpack
from tests.relay.backplane.network import ADD, Network
from tests.relay.core.cast import TICK, Peer

GIVEN_UP = 2.6  # s


@pytest.fixture
def network() -> Network:
    return Network(3)


@pytest.fixture
def server(network: Network) -> Peer:
    """A back end of the first process that has nothing yet."""
    server = network.alice(0).backend()
    network.settle()
    return server


def registers(server: Peer, name: str = ADD, call_id: str = "r") -> None:
    server.sends("register", id=call_id, functions=[{"name": name}])


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_once_register_is_answered_a_call_through_any_process_finds_the_function(
    network: Network, server: Peer, order: tuple[int, ...]
) -> None:
    """Whoever of them is the first to read, and the last."""
    registers(server)
    server.assert_silent()
    pages = [network.alice(number).frontend() for number in range(3)]
    for number in order * 5:
        network.carries(number)
        if server.inbox:
            break
    server.assert_received("result", id="r", data={})
    for page in pages:
        page.calls(ADD)
    network.settle()
    for _ in pages:
        server.answers("found")
    network.settle()
    for page in pages:
        page.assert_received("result", data="found")


def test_registers_that_are_gathered_are_answered_when_they_were_told(network: Network, server: Peer) -> None:
    names = [f"many:function-{number}" for number in range(int(AT_ONCE / GATHERED) + 5)]
    page = network.alice(1).frontend()
    for name in names:
        registers(server, name, name)
        network.settle()
    last = names[-1]
    assert last not in [frame["id"] for frame in server.inbox]
    network.lives(GATHERED + TICK)
    assert [frame["id"] for frame in server.inbox] == names
    page.calls(last)
    network.settle()
    assert server.inbox[-1]["cmd"] == last


def test_a_register_of_nothing_waits_for_nothing(network: Network, server: Peer) -> None:
    registers(server)
    network.carries(0)
    server.sends("register", id="nothing", functions=[])
    server.assert_received("result", id="nothing")
    network.settle()
    server.assert_received("result", id="r")


def test_a_register_is_answered_by_a_relay_that_is_alone_at_once() -> None:
    server = Network(1).alice(0).backend()
    registers(server)
    server.assert_received("result", id="r")


def test_a_register_is_answered_at_once_while_redis_is_away_and_when_it_goes(network: Network, server: Peer) -> None:
    registers(server, call_id="before")
    network.redis_goes()
    network.settle()
    server.assert_received("result", id="before")
    registers(server, "other:function", "meanwhile")
    server.assert_received("result", id="meanwhile")
    network.redis_comes_back()
    network.lives(1.2)
    network.assert_quiet()


def test_redis_that_takes_all_and_gives_nothing_holds_up_no_answer(network: Network, server: Peer) -> None:
    network.separates()
    network.loses(0, None, batches=1_000)
    registers(server)
    network.lives(1.7)
    server.assert_received("result", id="r")


def test_a_process_that_stands_still_holds_up_an_answer_until_it_is_given_up(network: Network, server: Peer) -> None:
    network.freezes(2)
    registers(server)
    network.lives(1.0)
    server.assert_silent()
    network.lives(GIVEN_UP - 1.0)
    server.assert_received("result", id="r")
    registers(server, "other:function")
    network.settle()
    server.assert_received("result", id="r")


@pytest.mark.parametrize("source", [0, 1])
def test_a_lost_announcement_or_a_lost_word_that_it_is_known_comes_again(
    network: Network, server: Peer, source: int
) -> None:
    network.loses(source, None if source == 0 else 0)
    registers(server)
    network.settle()
    server.assert_silent()
    network.lives(1.2)
    server.assert_received("result", id="r")


def test_a_process_that_never_says_that_it_knows_is_waited_for_no_longer_than_for_a_dead_one(
    network: Network, server: Peer
) -> None:
    """It lives, and its beats come."""
    network.loses(1, 0, batches=1_000)
    registers(server)
    network.lives(KNOWN_WITHIN - TICK)
    server.assert_silent()
    network.lives(3 * TICK)
    server.assert_received("result", id="r")


@pytest.mark.parametrize("first_is_known", [False, True])
def test_each_answer_waits_for_its_own_time_whatever_is_known_meanwhile(
    network: Network, server: Peer, first_is_known: bool
) -> None:
    roster = network.nodes[0].mesh.roster
    network.loses(1, 0, batches=1_000)
    registers(server, call_id="first")
    network.settle()
    version = roster.version
    network.lives(1.0)
    registers(server, "other:function", "second")
    network.lives(1.5)
    server.assert_silent()
    if first_is_known:
        network.nodes[0].mesh.processes[network.nodes[1].mesh.id].knows = version
        roster.knows()
        server.assert_received("result", id="first")
    network.lives(0.5 + 2 * TICK)
    if not first_is_known:
        server.assert_received("result", id="first")
    server.assert_silent()
    network.lives(1.0 - 4 * TICK)
    server.assert_silent()
    network.lives(4 * TICK)
    server.assert_received("result", id="second")


@pytest.mark.interpreted
def test_however_long_a_process_says_nothing_of_what_it_knows_little_is_remembered_for_it(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of an old version does, beside which servers come and go."""
    mesh = network.nodes[0].mesh
    monkeypatch.setattr(mesh.roster, "knows", lambda: None)
    for _ in range(100):
        server = network.alice(0).backend(ADD)
        network.settle()
        server.leaves()
        network.lives(0.1)
    assert len(mesh.roster.unknown) == 1


def test_no_more_than_so_many_wait_for_an_answer(network: Network, server: Peer) -> None:
    for number in range(MOST_UNANSWERED + 5):
        registers(server, call_id=str(number))
    assert [frame["id"] for frame in server.inbox] == [str(MOST_UNANSWERED + number) for number in range(5)]
    network.settle()
    assert len(server.inbox) == MOST_UNANSWERED + 5


def test_nothing_is_left_of_a_server_that_goes_before_its_answer(network: Network, server: Peer) -> None:
    network.freezes(2)
    registers(server)
    network.settle()
    registers(server, "other:function")
    change = network.nodes[0].mesh.roster.announcements.changes[server.connection]
    assert change.slot
    server.leaves()
    assert not change.slot
    network.goes_on(2)
    network.lives(4.0)
    server.assert_silent()
    network.assert_quiet()


def test_however_much_is_told_at_once_each_process_says_once_that_it_knows(network: Network) -> None:
    network.told.clear()
    for _ in range(20):
        network.alice(0).backend(ADD)
    network.settle()
    known = [entry for to, payload in network.told for entry in unpack(payload)[0].entries if isinstance(entry, Known)]
    assert len(known) == 2


# --- names that nobody has registered ---------------------------------------------------------------------------------


def test_a_name_that_another_process_may_have_is_not_said_to_be_nobody_s(network: Network, server: Peer) -> None:
    """While Redis is away, and until what was told meanwhile is known."""
    page = network.alice(1).frontend()
    network.redis_goes()
    network.lives(1.2)
    server.registers(ADD)
    page.calls(ADD)
    page.assert_received("error", code="relay_unavailable", retryable=True)
    network.redis_comes_back()
    network.lives(1.2)
    page.calls("nobody:has-this")
    page.assert_received("error", code="no_such_function")
    page.calls(ADD)
    network.settle()
    server.answers("found")
    network.settle()
    page.assert_received("result", data="found")


def test_once_unregister_is_answered_a_call_through_any_process_is_refused(network: Network, server: Peer) -> None:
    server.registers(ADD)
    network.lives(1)
    pages = [network.alice(number).frontend() for number in range(3)]
    server.unregisters(ADD)
    for page in pages:
        page.calls(ADD)
    network.lives(GATHERED + 2 * TICK)
    for page in pages:
        page.assert_received("error", code="no_such_function")
    server.assert_silent()
