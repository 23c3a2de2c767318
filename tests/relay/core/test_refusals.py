"""What a project's peers were refused in the last hour, with the names that they asked for."""

import pytest

from relay.core.refusals import LONGEST_NAME, MOST_NAMES, MOST_STRAYS, OF_SOURCE, Refusals, Strays
from tests.relay.core.cast import MIDNIGHT, CoreRelay, Peer, Project

MINUTE = 60.0
NOW = MIDNIGHT
HERE, THERE = "192.0.2.1", "198.51.100.1"


def seen(refusals: Refusals, wall: float = NOW) -> dict[tuple[str, str, str], int]:
    return {asked[:3]: number for asked, row in refusals.rows.items() if (number := row.number(wall))}


def of(project: Project) -> dict[tuple[str, str, str], int]:
    return seen(project.tenant.refusals, project.relay.hub.wall)


def asks(refusals: Refusals, name: str, source: str = HERE, wall: float = NOW) -> None:
    refusals.add("call", "no_such_function", name, source, wall)


def names(refusals: Refusals) -> set[str]:
    return {name for _, _, name in seen(refusals)}


# --- what is counted --------------------------------------------------------------------------------------------------


def test_refused_calls_and_sends_are_seen_by_name_and_among_the_outcomes(alice: Project) -> None:
    page = alice.frontend()
    for _ in range(3):
        page.calls("shop:ad")
    page.sends("send", cmd="shop:ad")
    assert of(alice) == {("call", "no_such_function", "shop:ad"): 3, ("send", "no_such_function", "shop:ad"): 1}
    assert alice.tenant.statistics.last_hour() == {"no_such_function": 4}


def test_a_used_up_plan_is_seen(alice: Project) -> None:
    alice.quota = (0, 0, MIDNIGHT)
    page, server = alice.frontend(), alice.backend("a:b")
    page.calls("a:b")
    server.sends("publish", id="p", channel="news")
    assert of(alice) == {("call", "quota_exceeded", "a:b"): 1, ("publish", "quota_exceeded", "news"): 1}
    assert alice.tenant.statistics.last_hour() == {"quota_exceeded": 1}


def test_a_call_above_the_rate_of_a_session_is_one_outcome(alice: Project) -> None:
    alice.session_rate = 1
    page, server = alice.frontend(), alice.backend("a:b")
    for number in range(5):
        page.calls("a:b", f"c{number}")
    server.answers()
    server.answers()
    assert alice.tenant.statistics.last_hour() == {"result": 2, "rate_limited": 3}
    assert of(alice) == {("call", "rate_limited", "a:b"): 3}


@pytest.mark.parametrize(
    ("frame", "request_type"),
    [
        ('{"type":"call","id":""}', "call"),
        ('{"type":"dance"}', "frame"),
        ('{"type":"call","id":"1","cmd":"a\\u202e"}', "call"),
    ],
)
def test_a_bad_frame_is_seen_without_a_name(alice: Project, frame: str, request_type: str) -> None:
    alice.frontend().sends_raw(frame)
    assert of(alice) == {(request_type, "bad_frame", ""): 1}


def test_charlie_sees_nothing_of_it(alice: Project, charlie: Project) -> None:
    charlie.frontend()
    alice.frontend().calls("a:b")
    assert of(charlie) == {}


def test_an_hour_later_it_is_forgotten(relay: CoreRelay, alice: Project) -> None:
    page = alice.frontend()
    page.calls("a:b")
    page.leaves()
    relay.leaps(49 * MINUTE)
    assert of(alice) == {("call", "no_such_function", "a:b"): 1}
    relay.leaps(61 * MINUTE)
    assert of(alice) == {}
    relay.hub.sweep(relay.now)
    assert alice.id not in relay.hub.tenants


def test_what_is_refused_for_hours_counts_the_last_one() -> None:
    refusals = Refusals()
    for minute in range(300):
        asks(refusals, "a:b", wall=NOW + minute * MINUTE)
    assert seen(refusals, NOW + 299 * MINUTE) == {("call", "no_such_function", "a:b"): 60}
    assert len(next(iter(refusals.rows.values())).slots) <= 6


# --- hellos -----------------------------------------------------------------------------------------------------------


def test_a_refused_hello_is_seen_by_the_project_it_named_whether_somebody_is_here_or_not(
    relay: CoreRelay, alice: Project
) -> None:
    for _ in range(2):
        alice.peer().says_hello("a wrong key")
    alice.frontend()
    alice.peer().says_hello("a wrong key")
    assert of(alice) == {("hello", "unauthorized", ""): 3}
    assert relay.hub.strays.by_project == {}


def test_a_hello_that_is_no_good_frame_is_seen(alice: Project) -> None:
    alice.frontend()
    alice.peer().says_hello(alice.public_key, session="short")
    alice.peer().sends("what a stranger would tell Alice")
    assert of(alice) == {("hello", "bad_frame", ""): 2}


def test_strangers_who_name_projects_that_do_not_exist_push_nobody_out(relay: CoreRelay, alice: Project) -> None:
    alice.peer().says_hello("a wrong key")
    for number in range(5_000):
        Peer(relay, f"made-up-{number}", ip=THERE).says_hello("a wrong key")
        relay.leaps(0.01)
    assert len(relay.hub.strays.by_project) == 1 + OF_SOURCE
    alice.frontend()
    assert of(alice) == {("hello", "unauthorized", ""): 1}


def test_strays_of_very_many_sources_are_bounded_and_forgotten() -> None:
    strays = Strays()
    for number in range(2 * MOST_STRAYS):
        refusals = strays.of(f"project-{number}", f"source-{number}")
        assert refusals is not None
        refusals.add("hello", "unauthorized", "key", f"source-{number}", NOW)
    assert (len(strays.by_project), len(strays.named)) == (MOST_STRAYS, MOST_STRAYS)
    strays.forget(NOW + 3_700)
    assert (strays.by_project, strays.named) == ({}, {})


# --- names that a stranger chooses ------------------------------------------------------------------------------------


def test_one_source_pushes_nothing_out_however_many_names_it_makes_up() -> None:
    refusals = Refusals()
    for number in range(MOST_NAMES - OF_SOURCE):
        asks(refusals, f"useful-{number}", f"visitor-{number}")
    for number in range(100_000):
        asks(refusals, f"junk-{number}", THERE)
    found = names(refusals)
    assert len(found) == MOST_NAMES + 1  # and what has no name
    assert {f"useful-{number}" for number in range(MOST_NAMES - OF_SOURCE)} <= found
    assert seen(refusals)["call", "no_such_function", ""] == 100_000 - OF_SOURCE


def test_names_of_very_many_sources_are_bounded_and_what_many_ask_for_stays() -> None:
    refusals = Refusals()
    for number in range(50):
        asks(refusals, "useful", f"visitor-{number}")
    for number in range(5_000):
        asks(refusals, f"junk-{number}", f"robot-{number}", NOW + number / 100)
    assert len(refusals.rows) == MOST_NAMES + 1  # and what has no name
    assert len(refusals.brought) == MOST_NAMES
    assert seen(refusals)["call", "no_such_function", "useful"] == 50
    asks(refusals, "new and useful", "a visitor", NOW + 60)
    assert "new and useful" in names(refusals)


def test_a_long_name_is_cut_and_one_that_nobody_sees_is_left_out() -> None:
    refusals = Refusals()
    asks(refusals, "x" * 100_000)
    asks(refusals, "pay\u202epal")
    assert names(refusals) == {"x" * LONGEST_NAME, ""}


def test_forgotten_names_leave_room_for_their_source() -> None:
    refusals = Refusals()
    for number in range(OF_SOURCE):
        asks(refusals, f"old-{number}")
    refusals.forget(NOW + 3_700)
    assert not refusals.rows
    assert not refusals.brought
    asks(refusals, "new", wall=NOW + 3_700)
    assert {asked.name for asked in refusals.rows} == {"new"}
