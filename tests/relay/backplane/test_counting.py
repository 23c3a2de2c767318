"""What other processes did not get is not counted, and what they got is counted once (GP-40)."""

from pathlib import Path

import pytest

from relay.core.calls import MOST_WAITING
from relay.core.errors import Closing
from relay.database import DatabaseThreads
from relay.metering import Metering
from tests.relay.backplane.network import ADD, Network, handed
from tests.relay.core.cast import Peer, Project

NOBODYS_SESSION = "a-session-of-a-page"
AGAIN = "the-session-of-one-who-asks-again"


def counted(network: Network) -> dict[int, int]:
    """Requests that are sealed now, by process; those without any are left out."""
    sealed = (sum(node.relay.hub.take_counts().values()) for node in network.nodes)
    return {number: requests for number, requests in enumerate(sealed) if requests}


def quota_used(network: Network) -> int:
    return sum(quota.used for node in network.nodes for quota in node.relay.hub.quotas.values())


def redis_stands_still(network: Network) -> None:
    """What waits for Redis does not leave, both processes notice it, and more is tried for a while."""
    network.redis_goes()
    for node in network.nodes:
        node.mesh.cut_off(network.now)
    network.lives(1)


def sent_to(server: Peer) -> int:
    return len([frame for frame in server.inbox if frame["type"] == "send"])


def publishes(publisher: Peer, **fields: object) -> None:
    publisher.sends("publish", channel="news", **fields)


# --- calls ------------------------------------------------------------------------------------------------------------


def test_calls_refused_because_redis_is_away_are_free(network: Network, page: Peer, server: Peer) -> None:
    for number in range(100):
        page.calls(ADD, f"c{number}")
    redis_stands_still(network)
    for number in range(100, 200):
        page.calls(ADD, f"c{number}")
    assert [page.assert_received("error")["code"] for _ in range(200)] == ["relay_unavailable"] * 200
    network.redis_comes_back()
    network.lives(3)
    assert not any(frame["type"] == "call" for frame in server.inbox)
    assert counted(network) == {}
    assert quota_used(network) == 0


def test_calls_by_http_refused_because_redis_is_away_are_free(network: Network, server: Peer) -> None:
    alice = network.alice(0)
    caller = alice.by_http(alice.public_key)
    caller.calls(ADD)
    redis_stands_still(network)
    caller.assert_received("error", code="relay_unavailable")
    caller.leaves()
    assert counted(network) == {}


def test_a_call_to_another_process_counts_against_the_plan_at_once(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    assert quota_used(network) == 1


@pytest.mark.parametrize("end", ["result", "error", "cancel", "deadline", "caller lost", "callee lost"])
def test_a_call_that_another_process_got_is_counted_when_it_has_ended(
    network: Network, page: Peer, server: Peer, end: str
) -> None:
    call = handed(network, page, server, timeout=1_000)
    assert counted(network) == {}  # it might still come back
    if end in ("result", "error"):
        server.sends(end, id=call)
    elif end == "cancel":
        page.sends("cancel", id="c1")
    elif end == "deadline":
        network.lives(1.2)
    else:
        (page if end == "caller lost" else server).leaves()
    network.settle()
    assert counted(network) == {0: 1}
    network.lives(3)
    assert counted(network) == {}


def test_a_call_that_goes_again_after_a_loss_is_counted_once(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.calls(ADD)
    network.lives(0.7)
    server.answers()
    network.settle()
    assert counted(network) == {0: 1}


def test_a_call_that_came_back_is_counted_by_who_gets_it_then(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.calls(ADD)
    network.settle()
    server.leaves()
    network.lives(0.7)
    network.alice(0).backend(ADD).answers()
    assert counted(network) == {0: 1}


@pytest.mark.parametrize(("ends", "code"), [("leaves", "no_server_online"), ("unregisters", "no_such_function")])
def test_a_call_that_came_back_and_finds_nobody_else_is_free(
    network: Network, page: Peer, server: Peer, ends: str, code: str
) -> None:
    page.calls(ADD)
    if ends == "leaves":
        server.leaves()
    else:
        server.unregisters(ADD)
    network.lives(6)
    page.assert_received("error", code=code)
    assert counted(network) == {}
    assert quota_used(network) == 0


def test_a_call_that_another_process_has_no_room_for_is_free(network: Network, page: Peer) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    full = [network.alice(1).frontend() for _ in range(2)]
    for number in range(MOST_WAITING + 1):
        full[number % 2].calls(ADD, f"c{number}")
    network.settle()
    assert counted(network) == {1: 1}
    page.calls(ADD)
    network.settle()
    page.assert_received("error", code="server_busy")
    assert counted(network) == {}


def test_a_call_that_ran_and_could_not_run_again_is_counted(network: Network, page: Peer) -> None:
    here = network.alice(0).backend()
    here.offers(ADD, idempotent=True)
    page.calls(ADD)
    here.assert_received("call")
    there = network.alice(1).backend()
    there.offers(ADD, idempotent=True)
    network.settle()
    network.redis_goes()
    here.leaves()
    network.lives(2)
    page.assert_received("error", code="relay_unavailable")
    assert counted(network) == {0: 1}


def test_a_keyed_call_that_nobody_got_is_forgotten_and_may_be_made_again(network: Network, server: Peer) -> None:
    page = network.alice(0).frontend(session=AGAIN)
    page.calls(ADD, idempotency_key="key")
    redis_stands_still(network)
    page.assert_received("error", id="c1", code="relay_unavailable")
    network.redis_comes_back()
    network.lives(3)
    page.calls(ADD, "c2", idempotency_key="key")
    network.settle()
    server.answers("done")
    network.settle()
    page.assert_received("result", id="c2", data="done")
    assert counted(network) == {0: 1}


async def stopped(network: Network, number: int, folder: Path) -> int:
    """End a process as a relay does that is stopped; how many requests its last batches hold. It has no database."""
    node = network.nodes[number]
    for tenant in tuple(node.relay.hub.tenants.values()):
        for connection in tuple(tenant.connections):
            node.relay.hub.close(connection, Closing(1012), network.now)
    node.mesh.leave()
    network.carries(number)
    threads = DatabaseThreads(1, "metering", within=1.0)
    metering = Metering(node.relay.hub, threads, folder)
    await metering.end(0.0)
    threads.shutdown()
    return sum(batch.counts.total() for batch in metering.sealed)


@pytest.mark.parametrize("keyed", [{}, {"idempotency_key": "key"}])
async def test_a_call_that_another_process_has_is_counted_when_its_own_is_stopped(
    network: Network, page: Peer, server: Peer, keyed: dict[str, str], tmp_path: Path
) -> None:
    handed(network, page, server, **keyed)
    assert await stopped(network, 0, tmp_path) == 1
    network.settle()
    server.assert_received("cancel")
    assert counted(network) == {}


def test_a_call_to_a_page_that_has_gone_is_free(network: Network, server: Peer) -> None:
    page = network.alice(0).frontend(session=NOBODYS_SESSION)
    network.settle()
    server.calls("show", to={"session": NOBODYS_SESSION})
    network.carries(1)
    network.carries(0)
    network.carries(1)
    page.leaves()
    network.settle()
    server.assert_received("error", code="no_such_peer")
    assert counted(network) == {}


# --- sends ------------------------------------------------------------------------------------------------------------


def test_a_send_counts_when_the_servers_process_has_read_it(network: Network, page: Peer, server: Peer) -> None:
    page.sends("send", cmd=ADD)
    assert counted(network) == {}
    network.settle()
    server.assert_received("send")
    network.lives(1.1)
    assert counted(network) == {0: 1}
    network.lives(3)
    assert counted(network) == {}


def test_sends_that_did_not_leave_are_free(network: Network, page: Peer, server: Peer) -> None:
    for _ in range(100):
        page.sends("send", cmd=ADD)
    redis_stands_still(network)
    for _ in range(100):
        page.sends("send", cmd=ADD)
    network.redis_comes_back()
    network.lives(3)
    assert sent_to(server) == 0
    assert counted(network) == {}
    assert quota_used(network) == 0


def test_a_send_by_http_that_did_not_leave_is_free(network: Network, server: Peer) -> None:
    alice = network.alice(0)
    sender = alice.by_http(alice.public_key)
    sender.sends("send", cmd=ADD)
    sender.leaves()
    redis_stands_still(network)
    network.redis_comes_back()
    network.lives(3)
    assert sent_to(server) == 0
    assert counted(network) == {}


def test_a_send_that_was_lost_is_free(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, 1)
    page.sends("send", cmd=ADD)
    network.lives(3)
    assert sent_to(server) == 0
    assert counted(network) == {}


@pytest.mark.parametrize("at", [[0, 0], [0, 1], [1, 1]])
def test_a_send_to_a_session_counts_once_wherever_its_pages_are(network: Network, server: Peer, at: list[int]) -> None:
    pages = [network.alice(number).frontend(session=NOBODYS_SESSION) for number in at]
    network.settle()
    server.sends("send", cmd="show", to={"session": NOBODYS_SESSION})
    network.lives(1.2)
    assert all(any(frame["type"] == "send" for frame in page.inbox) for page in pages)
    assert counted(network) == {1: 1}


def test_sends_count_though_too_many_wait_to_be_told_of_as_read(network: Network, page: Peer, server: Peer) -> None:
    network.freezes(1)
    for _ in range(20):
        page.sends("send", cmd=ADD, data="x" * 1_000_000)
        network.carries(0)
    network.goes_on(1)
    network.lives(1.2)
    assert sent_to(server) == 20
    assert counted(network) == {0: 20}


def sends(page: Peer, number: int) -> None:
    for _ in range(number):
        page.sends("send", cmd=ADD)


def test_sends_that_a_process_has_read_count_though_it_leaves_and_later_ones_are_free(
    network: Network, page: Peer, server: Peer
) -> None:
    sends(page, 5)
    network.settle()
    assert sent_to(server) == 5
    network.nodes[1].mesh.leave()
    sends(page, 3)
    network.carries(1)
    network.lives(3)
    assert sent_to(server) == 5
    assert counted(network) == {0: 5}
    assert quota_used(network) == 5


def test_sends_that_were_read_count_though_their_own_process_was_given_up_and_later_ones_are_free(
    network: Network, page: Peer, server: Peer
) -> None:
    """It stands still, and hears nothing of that time."""
    sends(page, 5)
    network.settle()
    network.freezes(0)
    network.misses(0, 1_000)
    network.lives(3)
    network.misses(0, 0)
    sends(page, 3)
    network.goes_on(0)
    network.lives(3)
    assert sent_to(server) == 5
    assert counted(network) == {0: 5}


def test_sends_of_which_too_many_wait_are_free_when_they_were_never_read(
    network: Network, page: Peer, server: Peer
) -> None:
    network.freezes(1)
    for _ in range(20):
        page.sends("send", cmd=ADD, data="x" * 1_000_000)
        network.carries(0)
    network.nodes[0].mesh.receive(beat_of(network, 1), network.now)
    assert counted(network) == {}
    network.dies(1)
    network.lives(3)
    assert counted(network) == {}


def beat_of(network: Network, number: int) -> bytes:
    """What this process would say now; it has read nothing since it stands still."""
    mesh = network.nodes[number].mesh
    network.goes_on(number)
    mesh.tick(network.now + 1)
    network.freezes(number)
    batch = mesh.take()
    assert batch is not None
    return batch[1]


# --- publishes --------------------------------------------------------------------------------------------------------


@pytest.fixture
def publisher(network: Network) -> Peer:
    publisher = network.alice(0).backend()
    network.settle()
    return publisher


def test_publishes_refused_because_redis_is_away_are_free(network: Network, publisher: Peer) -> None:
    for number in range(100):
        publishes(publisher, id=f"p{number}")
    redis_stands_still(network)
    for number in range(100, 200):
        publishes(publisher, id=f"p{number}")
    codes = [publisher.assert_received("error")["code"] for _ in range(200)]
    assert codes == ["relay_unavailable"] * 200
    network.redis_comes_back()
    network.lives(3)
    assert counted(network) == {}
    assert quota_used(network) == 0


def test_a_publish_by_http_refused_because_redis_is_away_is_free(network: Network) -> None:
    alice = network.alice(0)
    publisher = alice.by_http(alice.private_key)
    publishes(publisher, id="1")
    redis_stands_still(network)
    publisher.assert_received("error", id="1", code="relay_unavailable")
    assert counted(network) == {}


def test_a_publish_that_comes_back_after_it_was_refused_is_delivered_and_free(
    network: Network, publisher: Peer
) -> None:
    reader = network.alice(1).frontend()
    reader.subscribes("news")
    network.nodes[0].missing = 1  # Redis hands it to the others, and late to the publisher's own process
    publishes(publisher, id="p")
    network.settle()
    echo = network.told[-1][1]
    network.redis_goes()
    network.lives(1.2)
    refused = publisher.assert_received("error", id="p", code="relay_unavailable", retryable=True)
    assert "may have got the message" in refused["message"]
    reader.assert_received("message")
    network.nodes[0].mesh.receive(echo, network.now)
    assert counted(network) == {}


def test_a_publish_whose_echo_came_before_redis_went_is_answered_and_counted(network: Network, publisher: Peer) -> None:
    network.freezes(1)
    publishes(publisher, id="p")
    network.settle()
    network.nodes[0].mesh.cut_off(network.now)
    publisher.assert_received("result", id="p")
    assert counted(network) == {0: 1}


def test_a_publish_without_an_id_is_free_unless_it_was_applied(network: Network, publisher: Peer) -> None:
    publishes(publisher)
    redis_stands_still(network)
    network.redis_comes_back()
    network.lives(3)
    assert counted(network) == {}
    publishes(publisher)
    network.settle()
    assert counted(network) == {0: 1}


def test_charlie_pays_for_nothing_of_it(network: Network, page: Peer, server: Peer, publisher: Peer) -> None:
    stranger: Project = network.charlie(0)
    stranger.frontend()
    page.calls(ADD)
    page.sends("send", cmd=ADD)
    publishes(publisher, id="p")
    network.settle()
    server.answers()
    network.lives(1.2)
    taken = network.nodes[0].relay.hub.take_counts()
    assert taken == {(network.alice(0).workspace_id, network.alice(0).id): 3}
