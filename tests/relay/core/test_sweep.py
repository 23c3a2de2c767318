"""Nothing leaks: what nobody uses any more is forgotten."""

from relay.core.hub import MOST_ADDRESSES
from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Project

AN_HOUR = 3_660.0  # s after which statistics are forgotten, whatever the minute


def assert_empty(relay: CoreRelay) -> None:
    hub = relay.hub
    assert (hub.connections, hub.tenants, hub.quotas, hub.addresses) == (0, {}, {}, {})
    assert hub.deadlines.buckets == {}


def busy(project: Project, number: int) -> None:
    """Two peers that leave everything behind that peers can leave."""
    page, server = project.frontend(ip=f"203.0.113.{number}"), project.backend("a:b", f"only:{number}")
    page.subscribes("news", f"channel-{number}")
    server.subscribes("news")
    for call in range(5):
        page.calls("a:b", f"c{call}", timeout=1_000 * (call + 1))
    server.calls("a:b", "own")
    page.sends_raw('{"type":"dance"}')
    silent = project.peer(ip=f"198.51.100.{number}")
    assert silent.closed is None


def test_when_all_have_left_and_time_has_passed_nothing_is_kept(relay: CoreRelay) -> None:
    for number in range(20):
        busy(relay.alice, number)
        busy(relay.charlie, number)
    for peer in relay.peers:
        peer.leaves()
    relay.advances(12)
    relay.leaps(AN_HOUR)
    relay.hub.take_counts()
    for quota in relay.hub.quotas.values():
        quota.unrecorded = 0  # metering has written them
    relay.hub.sweep(relay.now)
    assert_empty(relay)


def test_who_never_answers_a_ping_leaves_nothing_either(relay: CoreRelay) -> None:
    for number in range(20):
        busy(relay.alice, number)
    relay.advances(40)
    assert all(peer.closed in (4408, 4409) for peer in relay.peers)
    relay.hub.take_counts()
    relay.hub.quotas[relay.alice.workspace_id].unrecorded = 0
    relay.leaps(AN_HOUR)
    relay.hub.sweep(relay.now)
    assert_empty(relay)


def test_who_was_refused_leaves_nothing(relay: CoreRelay) -> None:
    for number in range(50):
        peer = relay.alice.peer(ip=f"203.0.113.{number % 5}")
        peer.says_hello("wrong key")
        assert peer.closed is not None
    relay.leaps(10)
    relay.hub.sweep(relay.now)
    assert_empty(relay)


def test_what_is_in_use_is_kept(relay: CoreRelay, alice: Project, charlie: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    charlie.frontend().leaves()
    page.calls("a:b", timeout=200_000)
    relay.leaps(5)
    relay.hub.sweep(relay.now)
    assert list(relay.hub.tenants) == [alice.id]
    server.sends("result", id=server.assert_received("call")["id"], data=1)
    page.assert_received("result")


def test_counts_that_are_not_written_yet_are_kept(relay: CoreRelay, alice: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    page.sends("send", cmd="a:b")
    page.leaves()
    server.leaves()
    relay.leaps(10)
    relay.hub.sweep(relay.now)
    assert relay.hub.take_counts() == {(alice.workspace_id, alice.id): 1}
    relay.hub.sweep(relay.now)
    assert list(relay.hub.quotas) == [alice.workspace_id]


def test_a_rate_that_is_used_up_is_remembered_until_it_is_whole_again() -> None:
    """Coming back must not give a new burst."""
    relay = CoreRelay(Limits(ip_hellos=2))
    for _ in range(4):
        relay.alice.frontend().leaves()
    relay.hub.sweep(relay.now)
    refused = relay.alice.peer()
    refused.says_hello(relay.alice.public_key)
    refused.assert_closed(4429)
    relay.leaps(3)
    relay.hub.sweep(relay.now)
    assert relay.hub.addresses == {}


def test_at_most_so_many_addresses_are_remembered(relay: CoreRelay) -> None:
    for number in range(MOST_ADDRESSES + 10):
        relay.hub.address(f"2001:db8::{number:x}")
    assert len(relay.hub.addresses) <= MOST_ADDRESSES + 1
