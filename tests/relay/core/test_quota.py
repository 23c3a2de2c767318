"""A plan's requests: what stops when they are used up (GP-40)."""

import pytest

from tests.relay.core.cast import MIDNIGHT, CoreRelay, Peer, Project


@pytest.fixture
def page(alice: Project) -> Peer:
    """Of a plan with three requests a month."""
    alice.quota = (3, 0, MIDNIGHT)
    return alice.frontend()


@pytest.fixture
def server(page: Peer, alice: Project) -> Peer:
    return alice.backend("a:b")


def use_up(page: Peer, server: Peer) -> None:
    for _ in range(3):
        page.sends("send", cmd="a:b")
        server.assert_received("send")


def test_above_the_plan_every_request_is_refused_with_the_reset_time(page: Peer, server: Peer) -> None:
    use_up(page, server)
    page.calls("a:b")
    error = page.assert_received("error", id="c1", code="quota_exceeded", retryable=True)
    assert error["data"] == {"limit": 3, "used": 3, "resets_at": "2025-12-01T00:00:00Z"}
    assert error["retry_after"] == 86_400_000
    page.sends("send", cmd="a:b")
    page.assert_received("notice", code="quota_exceeded", about="a:b", data=error["data"])
    server.sends("publish", id="p1", channel="news")
    server.assert_received("error", id="p1", code="quota_exceeded", data=error["data"])
    server.assert_silent()


def test_what_is_refused_does_not_count(relay: CoreRelay, alice: Project, page: Peer, server: Peer) -> None:
    use_up(page, server)
    for _ in range(5):
        page.calls("a:b")
    assert relay.hub.take_counts() == {(alice.workspace_id, alice.id): 3}
    assert relay.hub.quotas[alice.workspace_id].used == 3


def test_calls_in_flight_still_end(page: Peer, server: Peer) -> None:
    page.calls("a:b")
    call = server.assert_received("call")
    page.sends("send", cmd="a:b")
    page.sends("send", cmd="a:b")
    page.calls("a:b", "c2")
    page.assert_received("error", id="c2", code="quota_exceeded")
    server.inbox.clear()
    server.sends("result", id=call["id"], data=1)
    page.assert_received("result", id="c1")


def test_connections_subscriptions_and_registering_go_on(alice: Project, page: Peer, server: Peer) -> None:
    use_up(page, server)
    page.subscribes("news")
    server.registers("more:functions")
    page.assert_alive()
    alice.frontend().assert_alive()


def test_what_other_processes_used_counts_too(alice: Project) -> None:
    alice.quota = (3, 2, MIDNIGHT)
    page, server = alice.frontend(), alice.backend("a:b")
    page.sends("send", cmd="a:b")
    server.assert_received("send")
    page.calls("a:b")
    page.assert_received("error", code="quota_exceeded")


def test_a_larger_plan_lets_calls_through_again(relay: CoreRelay, alice: Project, page: Peer, server: Peer) -> None:
    use_up(page, server)
    relay.hub.quotas[alice.workspace_id].refresh(10, 0, MIDNIGHT)
    page.calls("a:b")
    server.assert_received("call")


def test_projects_of_one_workspace_use_one_quota_and_charlie_his_own(
    relay: CoreRelay, charlie: Project, page: Peer, server: Peer
) -> None:
    use_up(page, server)
    stranger, theirs = charlie.frontend(), charlie.backend("a:b")
    stranger.calls("a:b")
    theirs.assert_received("call")
    sister = Project(relay, "sister", 1)
    relay.projects.append(sister)
    sister_page, _ = sister.frontend(), sister.backend("a:b")
    sister_page.calls("a:b")
    sister_page.assert_received("error", code="quota_exceeded")


def test_an_unknown_function_is_told_before_the_quota(page: Peer, server: Peer) -> None:
    use_up(page, server)
    page.calls("nobody:home")
    page.assert_received("error", code="no_such_function")
