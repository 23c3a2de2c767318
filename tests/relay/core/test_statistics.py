"""What became of a project's calls in the last hour."""

from collections import Counter

import pytest

from relay.core.errors import OUTCOMES
from relay.core.statistics import BESIDES, MEANINGS, Statistics
from tests.relay.core.cast import CoreRelay, Project

MINUTE = 60.0


def test_an_hour_is_sixty_minutes_with_the_one_that_runs() -> None:
    statistics = Statistics(0, Counter())
    for minute in range(180):
        statistics.turn(minute)
        statistics.add("result")
        assert statistics.last_hour() == {"result": min(minute + 1, 60)}


def test_what_is_older_than_an_hour_is_forgotten_after_a_pause_too() -> None:
    statistics = Statistics(0, Counter())
    statistics.add("late")
    statistics.turn(59)
    assert statistics.last_hour() == {"late": 1}
    statistics.turn(60)
    assert statistics.last_hour() == {}
    assert statistics.is_empty


def test_quiet_minutes_cost_nothing() -> None:
    statistics = Statistics(0, Counter())
    statistics.add("result")
    for minute in range(1, 60):
        statistics.turn(minute)
    assert len(statistics.past) == 1


def test_what_leaves_the_hour_stays_in_the_totals_of_the_process() -> None:
    totals: Counter[str] = Counter()
    statistics = Statistics(0, totals)
    statistics.add("result")
    statistics.turn(1)
    statistics.turn(200)
    statistics.add("result")
    assert totals + statistics.now == {"result": 2}


def test_a_clock_that_is_set_back_breaks_nothing() -> None:
    statistics = Statistics(100, Counter())
    statistics.add("result")
    statistics.turn(40)
    statistics.add("result")
    statistics.turn(41)
    assert statistics.last_hour() == {"result": 2}


def test_the_hub_turns_the_minutes(relay: CoreRelay, alice: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    for _ in range(3):
        page.calls("a:b")
        server.answers()
        relay.leaps(20 * MINUTE)
        page, server = alice.frontend(), alice.backend("a:b")
    assert alice.tenant.statistics.last_hour()["result"] == 2
    relay.leaps(61 * MINUTE)
    assert alice.tenant.statistics.last_hour() == {}


def test_everything_that_is_not_a_result_is_seen(relay: CoreRelay, alice: Project) -> None:
    page, server = alice.frontend(), alice.backend()
    server.offers("a:b", concurrency=1)
    page.calls("a:b", "c1", timeout=100)
    page.calls("a:b", "c2", timeout=100)
    relay.advances(0.3)
    page.calls("a:b", "c3")
    page.sends("cancel", id="c3")
    page.calls("a:b", "c4")
    server.leaves()
    page.calls("a:b", "c5", timeout=100)
    relay.advances(0.3)
    assert alice.tenant.statistics.last_hour() == {
        "deadline_exceeded": 1,
        "server_busy": 1,
        "cancelled": 1,
        "callee_lost": 1,
        "no_server_online": 1,
        "held": 1,
    }


def test_a_first_call_that_is_cancelled_alone_is_seen(alice: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    for call_id in ("c1", "c2"):
        page.calls("a:b", call_id, idempotency_key="key")
    page.sends("cancel", id="c1")
    server.answers()
    assert alice.tenant.statistics.last_hour() == {"cancelled": 1, "result": 1}


def test_projects_are_counted_apart(alice: Project, charlie: Project) -> None:
    page, server = alice.frontend(), alice.backend("a:b")
    charlie.frontend()
    page.calls("a:b")
    server.answers()
    assert charlie.tenant.statistics.last_hour() == {}


@pytest.mark.parametrize("name", ["result", *OUTCOMES, "caller_lost"])
def test_every_outcome_has_a_meaning(name: str) -> None:
    assert MEANINGS[name]


@pytest.mark.parametrize("name", ["late", "forged", "held", "rerouted", "suspected"])
def test_what_is_no_outcome_has_a_meaning_of_its_own(name: str) -> None:
    assert BESIDES[name]
    assert name not in MEANINGS
