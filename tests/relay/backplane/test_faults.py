"""A process dies or stands still, Redis goes: each call has one outcome, and all mends by itself (GP-10 to GP-13)."""

import pytest

from tests.relay.backplane.network import ADD, Network, handed, served
from tests.relay.core.cast import Peer


def twice(network: Network, *numbers: int) -> list[Peer]:
    """Servers of an idempotent function on these processes."""
    servers = []
    for number in numbers:
        servers.append(network.alice(number).backend())
        servers[-1].offers(ADD, idempotent=True)
        network.settle()
    return servers


# --- a process dies ---------------------------------------------------------------------------------------------------


def test_the_servers_of_a_dead_process_leave_after_two_seconds(network: Network, page: Peer, server: Peer) -> None:
    network.dies(1)
    network.lives(1.5)
    assert network.nodes[0].known_servers()
    network.lives(1.2)
    assert not network.nodes[0].known_servers()
    network.assert_quiet()


def test_calls_to_a_dead_process_end(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.dies(1)
    network.lives(2.7)
    page.assert_received("error", id="c1", code="callee_lost")
    page.assert_silent()


def test_idempotent_calls_to_a_dead_process_go_on_elsewhere(network: Network, page: Peer) -> None:
    first, other = twice(network, 1, 0)
    page.calls(ADD, data="once more")
    network.settle()
    first.assert_received("call")
    network.dies(1)
    network.lives(2.7)
    other.answers("done", data="once more")
    page.assert_received("result", id="c1", data="done")
    page.assert_silent()
    network.assert_quiet()


def test_calls_from_a_dead_process_are_cancelled_at_their_callees(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.dies(0)
    network.lives(2.7)
    server.assert_received("cancel", id=call)
    server.sends("result", id=call, data="late")
    server.assert_silent()
    network.assert_quiet()


def test_calls_from_a_dead_process_that_wait_are_never_handed_over(network: Network, page: Peer) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    mine = network.alice(1).frontend()
    mine.calls(ADD)
    call = server.assert_received("call")["id"]
    page.calls(ADD, "waits")
    network.settle()
    network.dies(0)
    network.lives(2.7)
    server.sends("result", id=call)
    server.assert_silent()


def test_calls_that_cross_a_death_wait_for_a_server_that_comes_back(network: Network, page: Peer, server: Peer) -> None:
    network.dies(1)
    network.lives(2.7)
    page.calls(ADD)
    network.join()
    again = network.alice(1).backend(ADD)
    network.settle()
    again.answers("here")
    network.settle()
    page.assert_received("result", id="c1", data="here")


def test_a_process_starts_while_another_dies(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.dies(1)
    network.join()
    new = network.alice(1).backend(ADD)
    network.lives(3)
    page.assert_received("error", id="c1", code="callee_lost")
    served(network, page, new)
    network.assert_quiet()


def test_a_process_that_leaves_is_gone_at_once_and_what_it_said_before_counts(
    network: Network, page: Peer, server: Peer
) -> None:
    call = handed(network, page, server)
    server.sends("result", id=call, data="the last word")
    network.nodes[1].mesh.leave()
    network.settle()
    network.dies(1)
    page.assert_received("result", id="c1", data="the last word")
    network.assert_quiet()
    network.lives(3)
    assert not network.nodes[0].mesh.processes


def test_nothing_is_said_after_the_leave(network: Network, server: Peer) -> None:
    network.nodes[1].mesh.leave()
    network.settle()
    server.leaves()
    network.advances(1)
    assert not network.nodes[0].mesh.processes


# --- a process stands still -------------------------------------------------------------------------------------------


def test_a_process_that_stood_still_is_known_again_within_a_second(network: Network, page: Peer, server: Peer) -> None:
    network.freezes(1)
    network.lives(10)
    assert not network.nodes[0].mesh.processes
    network.goes_on(1)
    network.lives(1)
    network.assert_quiet()
    served(network, page, server)


def test_a_short_stand_is_forgiven(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.freezes(1)
    network.lives(1.4)
    network.goes_on(1)
    server.sends("result", id=call, data="here")
    network.settle()
    page.assert_received("result", id="c1", data="here")


def test_late_results_of_a_process_that_stood_still_reach_nobody(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.freezes(1)
    network.lives(10)
    page.assert_received("error", id="c1", code="callee_lost")
    page.calls(ADD)
    network.goes_on(1)
    server.sends("result", id=call, data="late")
    network.lives(1)
    page.assert_silent()
    server.answers("in time")
    network.settle()
    page.assert_received("result", id="c1", data="in time")
    network.assert_quiet()


def test_calls_to_a_process_that_stood_still_run_once_though_another_ran_them(network: Network, page: Peer) -> None:
    first, other = twice(network, 1, 0)
    page.calls(ADD)
    network.settle()
    call = first.assert_received("call")["id"]
    network.freezes(1)
    network.lives(3)
    other.answers("by the other")
    page.assert_received("result", id="c1", data="by the other")
    network.goes_on(1)
    first.sends("result", id=call, data="by the first")
    network.lives(2)
    page.assert_silent()
    other.assert_silent()
    first.assert_silent()
    network.assert_quiet()


def test_calls_made_by_a_process_that_stood_still_end_once(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.freezes(0)
    network.lives(10)
    server.assert_received("cancel", id=call)
    network.goes_on(0)
    network.lives(1)
    page.assert_received("error", id="c1", code="callee_lost")
    page.assert_silent()
    served(network, page, server)


def test_a_call_whose_deadline_passed_while_its_process_stood_still_ends_once(
    network: Network, page: Peer, server: Peer
) -> None:
    handed(network, page, server, timeout=1_000)
    network.freezes(0)
    network.lives(10)
    network.goes_on(0)
    network.lives(0.2)
    page.assert_received("error", id="c1", code="deadline_exceeded")
    network.lives(5)
    page.assert_silent()


def test_who_stood_still_blames_nobody(network: Network, page: Peer) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    for number in (1, 2):
        page.calls(ADD, f"c{number}")
    network.settle()
    network.freezes(0)
    network.lives(1.4)
    network.goes_on(0)
    network.lives(0.2)
    for number in (1, 2):
        server.answers(number)
        network.settle()
        page.assert_received("result", id=f"c{number}", data=number)


def test_what_came_before_the_stand_is_not_taken_for_lost(network: Network, page: Peer, server: Peer) -> None:
    for _ in range(3):
        served(network, page, server)
    network.freezes(1)
    network.lives(10)
    network.goes_on(1)
    network.lives(2)
    assert [node.mesh.lost for node in network.nodes] == [0, 0]


def test_two_that_gave_each_other_up_find_each_other_again(network: Network, page: Peer, server: Peer) -> None:
    other = network.alice(0).backend("other:function")
    back = network.alice(1).frontend()
    network.settle()
    handed(network, page, server)
    back.calls("other:function")
    network.settle()
    call = other.assert_received("call")["id"]
    network.separates()
    network.lives(3)
    page.assert_received("error", id="c1", code="callee_lost")
    back.assert_received("error", id="c1", code="callee_lost")
    other.assert_received("cancel", id=call)
    network.joins()
    network.lives(1.1)
    network.assert_quiet()
    server.inbox.clear()
    served(network, page, server)


# --- Redis goes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.3, 5, 30])
def test_redis_goes_and_all_mends_within_five_seconds(
    network: Network, page: Peer, server: Peer, seconds: float
) -> None:
    network.redis_goes()
    network.lives(seconds)
    network.redis_comes_back()
    network.lives(1.2)
    network.assert_quiet()
    served(network, page, server)
    assert not any(node.mesh.given_up for node in network.nodes)


def test_calls_inside_a_process_go_on_without_redis(network: Network, page: Peer, server: Peer) -> None:
    near = network.alice(0).backend(ADD)
    network.redis_goes()
    network.lives(2)
    for number in range(3):
        page.calls(ADD, f"c{number}")
        near.answers(number)
        page.assert_received("result", id=f"c{number}", data=number)


def test_calls_to_others_end_at_once_without_redis(network: Network, page: Peer, server: Peer) -> None:
    network.redis_goes()
    network.lives(1.2)
    page.calls(ADD)
    page.assert_received("error", id="c1", code="relay_unavailable", retryable=True)
    page.sends("send", cmd=ADD)
    page.assert_received("notice", code="relay_unavailable")
    page.assert_silent()


def test_a_call_that_was_on_its_way_when_redis_went_ends_at_once_or_when_it_is_back(
    network: Network, page: Peer, server: Peer
) -> None:
    network.redis_goes()
    page.calls(ADD)
    network.settle()
    page.calls(ADD, "c2")
    page.assert_received("error", id="c2", code="relay_unavailable")
    network.lives(3)
    network.redis_comes_back()
    network.lives(1.5)
    server.answers("now")
    network.settle()
    page.assert_received("result", id="c1", data="now")


def test_redis_that_takes_all_and_gives_nothing_is_away(network: Network, page: Peer, server: Peer) -> None:
    network.loses(0, None, batches=1_000)
    network.lives(1.7)
    page.calls(ADD)
    page.assert_received("error", id="c1", code="relay_unavailable")
    network.lives(5)
    assert network.nodes[0].mesh.processes
    network.losing.clear()
    network.lives(1.2)
    network.assert_quiet()


def test_calls_that_wait_for_another_process_end_when_redis_goes(network: Network, page: Peer) -> None:
    server = network.alice(1).backend()
    server.offers(ADD, concurrency=1)
    network.settle()
    for number in (1, 2):
        page.calls(ADD, f"c{number}")
    network.settle()
    network.redis_goes()
    network.lives(1.2)
    page.assert_received("error", id="c2", code="relay_unavailable")
    page.assert_silent()


def test_a_result_that_came_without_redis_arrives_when_it_is_back(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.redis_goes()
    network.lives(3)
    server.sends("result", id=call, data="kept")
    network.lives(3)
    page.assert_silent()
    network.redis_comes_back()
    network.lives(1.2)
    page.assert_received("result", id="c1", data="kept")


def test_a_cancel_that_came_without_redis_arrives_when_it_is_back(network: Network, page: Peer, server: Peer) -> None:
    call = handed(network, page, server)
    network.redis_goes()
    network.lives(3)
    page.sends("cancel", id="c1")
    page.assert_received("error", id="c1", code="cancelled")
    network.redis_comes_back()
    network.lives(1.2)
    server.assert_received("cancel", id=call)


def test_publishes_are_refused_without_redis(network: Network, server: Peer) -> None:
    network.redis_goes()
    network.lives(1.2)
    server.sends("publish", id="p", channel="news", data=1)
    server.assert_received("error", id="p", code="relay_unavailable")
    assert network.alice(1).tenant.requests == 0


def test_a_publish_that_was_on_its_way_when_redis_went_is_answered(network: Network, server: Peer) -> None:
    network.redis_goes()
    server.sends("publish", id="p", channel="news", data=1)
    network.settle()
    server.assert_received("error", id="p", code="relay_unavailable")
    server.assert_silent()


def test_what_changed_without_redis_is_known_when_it_is_back(network: Network, page: Peer, server: Peer) -> None:
    network.redis_goes()
    network.lives(2)
    server.leaves()
    network.alice(1).backend("new:function")
    network.alice(0).backend("newer:function").drains()
    network.lives(2)
    network.redis_comes_back()
    network.lives(1.2)
    network.assert_quiet()


def test_what_one_process_could_not_say_is_asked_for(network: Network, page: Peer, server: Peer) -> None:
    server.leaves()
    network.nodes[1].mesh.cut_off(network.now)
    network.lives(1.2)
    network.assert_quiet()


def test_a_process_dies_while_redis_is_away(network: Network, page: Peer, server: Peer) -> None:
    handed(network, page, server)
    network.redis_goes()
    network.lives(2)
    network.dies(1)
    network.lives(5)
    page.assert_silent()
    network.redis_comes_back()
    network.lives(3.5)
    page.assert_received("error", id="c1", code="callee_lost")
    network.assert_quiet()
