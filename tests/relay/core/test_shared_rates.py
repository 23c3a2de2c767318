"""What one session and one address of front ends may use of a project's plan (GP-53)."""

from collections import Counter
from itertools import count

import pytest

from relay.core.sources import MOST_SHARED, SharedRates
from tests.relay.core.cast import CoreRelay, Peer, Project

SESSION, OTHER_SESSION = "a-session-of-alice", "another-session-of-alice"
OFFICE, ELSEWHERE = "198.51.100.7", "203.0.113.9"
ids = map("try-{}".format, count())  # of calls


@pytest.fixture
def alice(relay: CoreRelay) -> Project:
    """Her project takes 5 requests a second of a session and 10 of an address, and has a back end."""
    relay.alice.session_rate, relay.alice.address_rate = 5, 10
    relay.alice.backend("calculator:add")
    return relay.alice


def tries(page: Peer, number: int) -> Counter[str]:
    """Calls and sends in turn; how many were refused, by outcome, and how many were counted."""
    before = page.relay.alice.tenant.requests
    for each in range(number):
        if each % 2:
            page.sends("send", cmd="calculator:add")
        else:
            page.calls("calculator:add", next(ids))
    refused = Counter(str(frame["code"]) for frame in page.inbox if frame["type"] in ("error", "notice"))
    page.inbox.clear()
    return refused + Counter(counted=page.relay.alice.tenant.requests - before)


def test_a_session_uses_no_more_than_its_rate_and_then_waits_for_it(relay: CoreRelay, alice: Project) -> None:
    page = alice.frontend()
    assert tries(page, 100) == {"counted": 10, "rate_limited": 90}
    page.calls("calculator:add")
    error = page.assert_received("error", code="rate_limited", retryable=True)
    assert error["message"].startswith("The project takes 5 requests a second of one session.")
    relay.leaps(error["retry_after"] / 1000)
    assert tries(page, 1) == {"counted": 1}
    relay.leaps(60)
    assert tries(page, 100)["counted"] == 10


def test_all_connections_of_a_session_share_its_rate(alice: Project) -> None:
    assert tries(alice.frontend(session=SESSION), 100)["counted"] == 10
    assert tries(alice.frontend(session=SESSION, ip=ELSEWHERE), 100)["counted"] == 0
    assert tries(alice.frontend(session=OTHER_SESSION, ip=ELSEWHERE), 100)["counted"] == 10


def test_many_sessions_of_an_address_use_no_more_than_its_rate(alice: Project) -> None:
    assert sum(tries(alice.frontend(ip=OFFICE), 100)["counted"] for _ in range(50)) == 20
    page = alice.frontend(ip=OFFICE)
    page.calls("calculator:add")
    error = page.assert_received("error", code="rate_limited")
    assert error["message"].startswith("The project takes 10 requests a second of one address.")
    assert tries(alice.frontend(ip=ELSEWHERE), 100)["counted"] == 10


def test_what_is_free_takes_nothing(alice: Project) -> None:
    page = alice.frontend()
    for number in range(50):
        page.subscribes(f"channel-{number}")
        page.calls("nobody:knows", f"c{number}")
        page.assert_received("error", code="no_such_function")
    assert tries(page, 100)["counted"] == 10


def test_a_repeated_call_takes_nothing(alice: Project) -> None:
    page = alice.frontend()
    for number in range(50):
        page.calls("calculator:add", f"c{number}", idempotency_key="once")
    assert tries(page, 100)["counted"] == 9


def test_back_ends_are_not_limited(alice: Project) -> None:
    server = alice.backend()
    assert tries(server, 500) == {"counted": 500}


def test_another_projects_front_ends_have_their_own_rates(relay: CoreRelay, alice: Project) -> None:
    assert tries(alice.frontend(ip=OFFICE, session=SESSION), 100)["counted"] == 10
    relay.charlie.backend("calculator:add")
    theirs = relay.charlie.frontend(ip=OFFICE, session=SESSION)
    tries(theirs, 100)
    assert relay.charlie.tenant.requests == 100


def test_open_connections_follow_a_changed_limit(relay: CoreRelay, alice: Project) -> None:
    page = alice.frontend()
    assert tries(page, 100)["counted"] == 10
    relay.leaps(10)
    alice.tenant.limit_visitors(50, 100)
    assert tries(page, 200)["counted"] == 100
    relay.leaps(10)
    alice.tenant.limit_visitors(1, 100)
    assert tries(page, 100)["counted"] == 2


def test_what_is_refused_is_shown_among_the_calls_of_the_last_hour(alice: Project) -> None:
    tries(alice.frontend(), 100)
    assert alice.tenant.statistics.last_hour()["rate_limited"] == 90


def test_coming_back_gives_no_new_burst_and_what_is_whole_again_is_forgotten(relay: CoreRelay, alice: Project) -> None:
    page = alice.frontend(session=SESSION, ip=OFFICE)
    assert tries(page, 100)["counted"] == 10
    page.leaves()
    relay.hub.sweep(relay.now)
    assert tries(alice.frontend(session=SESSION, ip=OFFICE), 100)["counted"] == 0
    relay.leaps(10)
    relay.hub.sweep(relay.now)
    stays = alice.frontend(session=SESSION, ip=OFFICE)
    assert tries(stays, 100)["counted"] == 10
    relay.leaps(10)
    relay.hub.sweep(relay.now)
    assert len(alice.tenant.session_rates.by_name) == len(alice.tenant.address_rates.by_name) == 1


def test_at_most_so_many_sessions_and_addresses_are_remembered() -> None:
    rates = SharedRates("address")
    rates.change(10)
    for number in range(MOST_SHARED + 10):
        rates.join(f"2001:db8::{number:x}")
    assert len(rates.by_name) == MOST_SHARED + 1


def test_the_project_of_a_server_elsewhere_learns_its_limits_from_its_first_front_end(relay: CoreRelay) -> None:
    """Another process may have told of a server before anybody connected here: it tells no limits."""
    relay.alice.session_rate = relay.alice.address_rate = 0
    relay.alice.backend("calculator:add")
    relay.alice.session_rate = relay.alice.address_rate = 5
    assert tries(relay.alice.frontend(), 100)["counted"] == 10
