"""A connection's life: hello, backlog, welcome, liveness, rates, close (section 2, GP-53)."""

import json
from typing import Any

import pytest

from relay.core.connection import State
from relay.core.errors import Closing
from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer, Project, is_open

SESSION = "a-secret-of-16-characters"


# --- hello ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ping"), [("frontend", 25), ("backend", 10)])
def test_a_good_hello_is_answered_by_welcome(alice: Project, kind: str, ping: int) -> None:
    peer = alice.peer()
    key = alice.public_key if kind == "frontend" else alice.private_key
    peer.says_hello(key, session=SESSION, name="web 1", sdk="gluer-js/1.0.0")
    welcome = peer.assert_received("welcome", peer=kind, ping=ping, session=SESSION)
    assert welcome["limits"] == {"frame": 1_048_576, "timeout": 300_000, "in_flight": 1_000, "rate": 1_000}
    assert welcome["connection"]
    assert (peer.connection.name, peer.connection.sdk) == ("web 1", "gluer-js/1.0.0")
    peer.assert_alive()


def test_a_token_is_ignored_with_a_notice(alice: Project) -> None:
    peer = alice.frontend(token="ey.ey.ey")
    peer.assert_received("notice", about="hello")
    peer.assert_alive()


HELLOS: dict[str, tuple[dict[str, Any], int]] = {
    "an unknown key": ({"key": "nobody's"}, 4401),
    "an empty key": ({"key": ""}, 4401),
    "a short session": ({"session": "x" * 15}, 4400),
    "an empty session": ({"session": ""}, 4400),
    "a long session": ({"session": "x" * 129}, 4400),
    "a reserved session": ({"session": "$gluer-0123456789"}, 4400),
    "a control character in the session": ({"session": "x" * 16 + "\n"}, 4400),
    "a control character in the name": ({"name": "a\u0007b"}, 4400),
    "a control character in the sdk": ({"sdk": "\u0085"}, 4400),
    "a long key": ({"key": "x" * 129}, 4400),
    "a key that is no string": ({"key": 5}, 4400),
    "a password that is no string": ({"password": 5}, 4400),
}


@pytest.mark.parametrize(("fields", "code"), HELLOS.values(), ids=HELLOS)
def test_a_wrong_hello_is_refused_for_good(alice: Project, fields: dict[str, Any], code: int) -> None:
    peer = alice.peer()
    peer.sends("hello", **{"key": alice.public_key, **fields})
    assert peer.assert_closed(code)["message"]


@pytest.mark.parametrize("first", ["call", "ping", "pong", "dance", "result"])
def test_the_first_frame_is_hello(alice: Project, first: str) -> None:
    peer = alice.peer()
    peer.sends(first, id="c1", cmd="a:b")
    peer.assert_closed(4400)


def test_another_project_s_key_is_wrong_here(alice: Project, charlie: Project) -> None:
    peer = alice.peer()
    peer.says_hello(charlie.public_key)
    peer.assert_closed(4401)


def test_a_second_hello_is_a_bad_frame_and_the_connection_goes_on(alice: Project) -> None:
    page = alice.frontend()
    page.says_hello(alice.private_key)
    page.assert_received("notice", code="bad_frame", about="hello")
    assert page.connection.peer == "frontend"
    page.assert_alive()


def test_without_hello_the_socket_is_closed_after_ten_seconds(relay: CoreRelay, alice: Project) -> None:
    peer = alice.peer()
    relay.advances(9.9)
    peer.assert_silent()
    relay.advances(0.3)
    peer.assert_closed(4408)


def test_a_hello_that_came_during_a_pause_of_the_relay_is_read_before_it_is_judged(
    relay: CoreRelay, alice: Project
) -> None:
    peer = alice.peer()
    relay.leaps(10.2)
    peer.assert_silent()
    peer.says_hello(alice.public_key)
    peer.assert_received("welcome")


def test_a_socket_that_ends_before_its_hello_is_forgotten(relay: CoreRelay, alice: Project) -> None:
    peer = alice.peer()
    peer.leaves()
    assert relay.hub.connections == 0
    relay.advances(11)
    assert not peer.raw


# --- frames behind hello ----------------------------------------------------------------------------------------------


@pytest.fixture
def slow() -> CoreRelay:
    """Its directory takes as long as the test lets it."""
    return CoreRelay(slow_directory=True)


def test_frames_behind_hello_are_handled_after_welcome_in_order(slow: CoreRelay) -> None:
    peer = slow.alice.peer()
    peer.says_hello(slow.alice.private_key)
    peer.sends("register", id="r1", functions=[{"name": "a:b"}])
    peer.sends("subscribe", id="s1", channels=["news"])
    peer.calls("a:b", data=1)
    peer.sends("publish", id="p1", channel="news", data=2)
    peer.assert_silent()
    slow.look_up()
    came = [(frame["type"], frame.get("id")) for frame in peer.inbox]
    assert came == [
        ("welcome", None),
        ("result", "r1"),
        ("result", "s1"),
        ("call", "1"),
        ("message", None),
        ("result", "p1"),
    ]


def test_a_bad_frame_behind_hello_ends_it_after_welcome(slow: CoreRelay) -> None:
    peer = slow.alice.peer()
    peer.says_hello(slow.alice.public_key)
    peer.sends_raw("garbage")
    peer.sends("ping")
    slow.look_up()
    peer.assert_received("welcome")
    peer.assert_closed(4400)


@pytest.mark.parametrize(("frames", "size"), [(65, 20), (5, 300_000), (1, 1_048_577), (1, 2_097_153)])
def test_too_much_behind_hello_is_closed(slow: CoreRelay, frames: int, size: int) -> None:
    peer = slow.alice.peer()
    peer.says_hello(slow.alice.public_key)
    for _ in range(frames):
        peer.sends_raw(b'{"type":"ping"}'.ljust(size))
    peer.assert_closed(1009 if size > 2 * 1_048_576 else 4413)
    slow.look_up()
    assert slow.hub.connections == 0


def test_64_frames_of_one_mebibyte_behind_hello_are_not_too_much(slow: CoreRelay) -> None:
    peer = slow.alice.peer()
    peer.says_hello(slow.alice.public_key)
    for _ in range(64):
        peer.sends_raw(b'{"type":"ping"}'.ljust(1_048_576 // 64))
    slow.look_up()
    peer.assert_received("welcome")
    assert [frame["type"] for frame in peer.inbox] == ["pong"] * 64


@pytest.mark.parametrize("key", ["public_key", "unknown"])
def test_a_socket_that_ended_during_the_look_up_stays_ended(slow: CoreRelay, key: str) -> None:
    peer = slow.alice.peer()
    peer.says_hello(getattr(slow.alice, key, key))
    peer.leaves()
    slow.look_up()
    assert (slow.hub.connections, slow.hub.tenants) == (0, {})
    assert not peer.raw


def test_a_look_up_that_takes_too_long_ends_the_socket(slow: CoreRelay) -> None:
    peer = slow.alice.peer()
    peer.says_hello(slow.alice.public_key)
    slow.advances(10.2)
    peer.assert_closed(4408)
    slow.look_up()
    assert slow.hub.tenants == {}


# --- liveness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "every", "within"), [("frontend", 25, 8), ("backend", 10, 5)])
def test_no_pong_in_time_closes_the_connection(
    relay: CoreRelay, alice: Project, kind: str, every: int, within: int
) -> None:
    peer = alice.frontend() if kind == "frontend" else alice.backend()
    relay.advances(every - 0.1)
    peer.assert_silent()
    relay.advances(0.3)
    peer.assert_received("ping")
    relay.advances(within - 0.3)
    peer.assert_silent()
    relay.advances(0.4)
    peer.assert_closed(4409)
    assert relay.hub.connections == 0


@pytest.mark.parametrize("answer", ['{"type":"pong"}', '{"type":"ping"}', '{"type":"dance"}'])
def test_any_frame_within_the_time_keeps_the_connection(relay: CoreRelay, alice: Project, answer: str) -> None:
    server = alice.backend()
    for _ in range(5):
        relay.advances(10.1)
        server.assert_received("ping")
        relay.advances(0.05)
        server.sends_raw(answer)
        server.inbox.clear()
    assert is_open(server)


def test_pings_keep_their_rhythm(relay: CoreRelay, alice: Project) -> None:
    server = alice.backend()
    for _ in range(12):
        relay.advances(5.1)
        if server.inbox:
            server.assert_received("ping")
            server.sends("pong")
    pings = sum(raw == b'{"type":"ping"}' for raw in server.raw)
    assert pings == 6


def test_a_client_s_ping_is_answered_by_pong(alice: Project) -> None:
    page = alice.frontend()
    page.sends("ping")
    page.assert_received("pong")


def test_who_is_silent_is_pinged_again_after_a_leap_of_the_clock(relay: CoreRelay, alice: Project) -> None:
    """A suspended machine: the pong was read, then nothing ticked for a day."""
    servers = [alice.backend() for _ in range(3)]
    relay.advances(10.1)
    for server in servers:
        server.assert_received("ping")
        server.connection.heard = relay.now + 0.01
    page = alice.frontend()
    relay.leaps(86_400)
    page.assert_silent()
    relay.advances(0.7)
    for server in servers:
        server.assert_received("ping")
        server.sends("pong")
    page.assert_received("ping")


# --- rates ------------------------------------------------------------------------------------------------------------


def test_above_the_rate_requests_are_refused_until_it_refills(relay: CoreRelay) -> None:
    relay = CoreRelay(Limits(rate=10))
    page = relay.alice.frontend()
    for number in range(20):
        page.calls("a:b", f"c{number}")
        page.assert_received("error", code="no_such_function")
    page.calls("a:b", "c20")
    error = page.assert_received("error", id="c20", code="rate_limited", retryable=True)
    relay.leaps(error["retry_after"] / 1000)
    page.calls("a:b", "c21")
    page.assert_received("error", code="no_such_function")


IDLE = ["ping", "pong", "cancel", "result", "progress", "error"]  # of nobody's call


@pytest.mark.parametrize("kind", IDLE)
def test_frames_that_ask_for_nothing_are_not_answered_above_the_rate_and_then_end_the_connection(kind: str) -> None:
    relay = CoreRelay(Limits(rate=5))
    page, neighbour = relay.alice.frontend(), relay.alice.frontend()
    for _ in range(10 + 5):
        page.sends(kind, id="1")
        assert is_open(page)
    assert len(page.inbox) <= 10
    page.inbox.clear()
    page.sends(kind, id="1")
    page.assert_closed(4429, after=5_000)
    neighbour.assert_alive()


@pytest.mark.parametrize("kind", IDLE)
def test_frames_that_ask_for_nothing_are_charged_to_the_address_together(kind: str) -> None:
    alice = CoreRelay(Limits(ip_rate=5)).alice
    for page in (alice.frontend(), alice.frontend()):
        for _ in range(5):
            page.sends(kind, id="1")
    late = alice.frontend()
    late.sends("ping")
    late.assert_silent()


def test_answers_to_calls_are_not_charged(alice: Project) -> None:
    relay = CoreRelay(Limits(rate=5))
    page, server = relay.alice.frontend(), relay.alice.backend("a:b")
    for number in range(40):
        page.calls("a:b", f"c{number}", timeout=100)
        if number % 2:
            relay.advances(0.25)  # the call ends, and its answer comes late
        call = server.assert_received("call")
        server.sends("result", id=call["id"])
        server.inbox.clear()
        relay.advances(0.25)
    assert is_open(server)
    server.assert_alive()


CHARGED: dict[str, dict[str, Any]] = {
    "call": {"id": "c1", "cmd": "a:b"},
    "send": {"cmd": "a:b"},
    "publish": {"channel": "news"},
    "subscribe": {"id": "s1", "channels": ["news"]},
    "unsubscribe": {"id": "s1", "channels": ["news"]},
    "register": {"id": "r1", "functions": []},
    "unregister": {"id": "r1", "functions": []},
    "hello": {"key": "k"},
    "dance": {},
}


@pytest.mark.parametrize(("kind", "fields"), CHARGED.items(), ids=CHARGED)
def test_who_goes_on_far_above_the_rate_is_closed(kind: str, fields: dict[str, Any]) -> None:
    relay = CoreRelay(Limits(rate=5))
    server, neighbour = relay.alice.backend(), relay.alice.backend()
    for _ in range(10 + 5):
        server.sends(kind, **fields)
        assert is_open(server)
    server.inbox.clear()
    server.sends(kind, **fields)
    server.assert_closed(4429, after=5_000)
    server.sends(kind, **fields)
    neighbour.assert_alive()


def floods(peer: Peer) -> None:
    for _ in range(16):
        peer.sends("pong")


def test_an_address_that_flooded_opens_no_connection_for_five_seconds() -> None:
    relay = CoreRelay(Limits(rate=5))
    neighbour = relay.alice.frontend()
    floods(relay.alice.frontend())
    relay.alice.peer().assert_closed(4429, after=5_000)
    neighbour.assert_alive()
    relay.alice.frontend(ip="198.51.100.1")
    relay.advances(5.05)
    relay.alice.frontend()


def test_a_page_that_floods_from_its_visitors_browsers_bars_its_own_origin_only() -> None:
    relay = CoreRelay(Limits(rate=5))
    evil = "https://evil.example"
    floods(relay.alice.frontend(origin=evil))
    relay.alice.peer(origin=evil).assert_closed(4429, after=5_000)
    relay.alice.frontend()
    origins = [f"https://{number}.example" for number in range(100)]
    barred = [relay.alice.peer(origin=origin).closed for origin in origins]
    assert barred.count(None) > 50  # one of sixteen shares


def test_who_keeps_to_the_rate_is_never_refused() -> None:
    relay = CoreRelay(Limits(rate=20))
    page = relay.alice.frontend()
    for _ in range(20 * 10):
        page.subscribes("news")
        relay.leaps(0.0501)


@pytest.mark.parametrize("limits", [Limits(key_rate=5), Limits(ip_rate=5)], ids=["key", "address"])
def test_connections_of_one_key_and_of_one_address_share_a_rate(limits: Limits) -> None:
    alice = CoreRelay(limits).alice
    pages = [alice.frontend(), alice.frontend()]
    for number in range(10):
        pages[number % 2].subscribes("news")
    pages[0].sends("subscribe", id="s1", channels=["news"])
    pages[0].assert_received("error", code="rate_limited")


def test_late_progress_is_not_charged_while_answers_may_be_late() -> None:
    relay = CoreRelay(Limits(rate=5))
    page, server = relay.alice.frontend(), relay.alice.backend("a:b")
    page.calls("a:b", timeout=100)
    call = server.assert_received("call")
    relay.advances(0.25)
    for _ in range(40):
        server.sends("progress", id=call["id"])
    server.sends("result", id=call["id"])
    assert is_open(server)
    server.inbox.clear()
    server.assert_alive()


# --- bytes ------------------------------------------------------------------------------------------------------------

MIB = 1 << 20


def sends_bytes(peer: Peer, size: int) -> None:
    peer.sends("call", id=f"c{len(peer.inbox)}", cmd="a:b", data="x" * size)


def test_who_sends_more_bytes_than_its_rate_is_left_unread_until_the_rate_is_kept(alice: Project) -> None:
    page, neighbour = alice.frontend(), alice.frontend(ip="198.51.100.1")
    for _ in range(12):
        sends_bytes(page, MIB - 100)
    assert page.pauses[:7] == [0.0] * 7  # the burst: each a turn of the loop
    assert page.pauses[-1] == pytest.approx(1, abs=0.1)  # 4 MiB more than the burst of 8
    alice.relay.leaps(page.pauses[-1])
    sends_bytes(page, 10)
    assert is_open(page)
    neighbour.assert_alive()


def test_small_frames_cost_256_bytes_each_and_a_flood_of_them_waits_for_the_next_turn(alice: Project) -> None:
    flooder, steady = alice.backend(), alice.backend()
    for _ in range(900):
        flooder.sends_raw(b'{"type":"send","cmd":"a"}')
    assert flooder.pauses == [0.0] * 4  # 900 × (25 + 256) bytes: 16 KiB, and leases of 32, 64, 128 and 256
    for _ in range(1_000):
        steady.sends_raw(b'{"type":"send","cmd":"a"}')
        alice.relay.leaps(0.0001)
    assert steady.pauses == []


@pytest.mark.parametrize("limits", [Limits(key_rate_bytes=MIB), Limits(ip_rate_bytes=MIB)], ids=["key", "address"])
def test_connections_of_one_key_and_of_one_address_share_a_rate_of_bytes(limits: Limits) -> None:
    alice = CoreRelay(limits).alice
    pages = [alice.frontend(), alice.frontend()]
    for number in range(4):
        sends_bytes(pages[number % 2], MIB - 500)
    assert pages[0].pauses[-1] > 0 < pages[1].pauses[-1]


def test_a_back_end_may_send_eight_times_as_many_bytes(alice: Project) -> None:
    server = alice.backend()
    for _ in range(60):
        sends_bytes(server, MIB - 500)
    assert set(server.pauses) == {0.0}


def test_a_neighbour_of_who_floods_an_address_is_read_more_slowly_and_not_closed() -> None:
    alice = CoreRelay(Limits(ip_rate_bytes=MIB)).alice
    flooder, neighbour = alice.frontend(), alice.frontend()
    for _ in range(6):
        sends_bytes(flooder, MIB - 500)
    for _ in range(20):
        sends_bytes(neighbour, 2_000)
    assert neighbour.pauses
    assert max(neighbour.pauses + flooder.pauses) <= 5
    assert is_open(neighbour)


def test_who_would_be_left_unread_for_too_long_is_closed() -> None:
    page = CoreRelay(Limits(rate_bytes=1_000)).alice.frontend()
    sends_bytes(page, 20_000)
    page.assert_closed(4429, after=5_000)


# --- how many ---------------------------------------------------------------------------------------------------------


def test_too_many_connections_of_an_address_are_refused() -> None:
    alice = CoreRelay(Limits(ip_connections=2)).alice
    first, _ = alice.frontend(), alice.frontend()
    refused = alice.peer()
    refused.assert_closed(4429, after=10_000)
    alice.frontend(ip="198.51.100.1")
    first.leaves()
    alice.frontend()


def test_too_many_connections_of_a_key_are_refused() -> None:
    alice = CoreRelay(Limits(key_connections=2)).alice
    first, _ = alice.frontend(), alice.frontend()
    refused = alice.peer()
    refused.says_hello(alice.public_key)
    refused.assert_closed(4429, after=1_000)
    alice.backend()
    first.leaves()
    alice.frontend()


def test_too_many_connections_of_a_project_are_refused() -> None:
    relay = CoreRelay(Limits(project_connections=2))
    first, _ = relay.alice.frontend(), relay.alice.frontend()
    refused = relay.alice.peer()
    refused.says_hello(relay.alice.public_key)
    refused.assert_closed(4429, after=1_000)
    relay.alice.backend().leaves()  # visitors cannot keep a project's own servers out
    relay.charlie.frontend()
    first.leaves()
    relay.alice.frontend()


def test_too_many_connections_of_a_session_are_refused() -> None:
    relay = CoreRelay(Limits(session_connections=2))
    first, _ = relay.alice.frontend(session=SESSION), relay.alice.frontend(session=SESSION)
    refused = relay.alice.peer()
    refused.says_hello(relay.alice.public_key, session=SESSION)
    refused.assert_closed(4429)
    relay.charlie.frontend(session=SESSION)
    first.leaves()
    relay.alice.frontend(session=SESSION)


@pytest.mark.parametrize("limits", [Limits(ip_hellos=3), Limits(key_hellos=3)], ids=["address", "key"])
def test_too_many_hellos_are_sent_away_for_a_while(limits: Limits) -> None:
    relay = CoreRelay(limits)
    for _ in range(6):
        relay.alice.frontend()
    refused = relay.alice.peer()
    refused.says_hello(relay.alice.public_key)
    bye = refused.assert_closed(4429)
    relay.leaps(bye["after"] / 1000)
    relay.alice.frontend()


# --- sizes ------------------------------------------------------------------------------------------------------------


def sized(limit: int, **fields: object) -> str:
    """A frame of exactly so many bytes."""
    short = json.dumps({**fields, "data": ""})
    return json.dumps({**fields, "data": "x" * (limit - len(short))})


@pytest.fixture
def small() -> CoreRelay:
    """1,000 bytes a frame."""
    return CoreRelay(Limits(frame=1_000))


def test_a_frame_of_the_limit_is_read(small: CoreRelay) -> None:
    page = small.alice.frontend()
    page.sends_raw(sized(1_000, type="call", id="c1", cmd="a:b"))
    page.assert_received("error", id="c1", code="no_such_function")


def test_a_larger_frame_is_refused_with_the_limit(small: CoreRelay) -> None:
    page = small.alice.frontend()
    page.sends_raw(sized(1_001, type="call", id="c1", cmd="a:b"))
    page.assert_received("error", id="c1", code="payload_too_large", data={"limit": 1_000})
    page.sends_raw(sized(2_000, type="send", cmd="a:b"))
    page.assert_received("notice", code="payload_too_large", data={"limit": 1_000}, about="send")
    page.sends_raw(sized(2_000, type="progress", id="1"))
    page.assert_received("notice", code="payload_too_large", about="progress")
    page.assert_alive()


def test_a_frame_of_more_than_twice_the_limit_is_not_read(small: CoreRelay) -> None:
    page = small.alice.frontend()
    page.sends_raw(sized(2_001, type="call", id="c1", cmd="a:b"))
    page.assert_closed(1009)


def test_a_large_frame_that_is_none_ends_the_connection(small: CoreRelay) -> None:
    page = small.alice.frontend()
    page.sends_raw("x" * 1_500)
    page.assert_closed(4400)


def test_a_large_hello_ends_the_connection(small: CoreRelay) -> None:
    peer = small.alice.peer()
    peer.says_hello(small.alice.public_key, colour="x" * 1_500)
    peer.assert_closed(4413)


# --- the end ----------------------------------------------------------------------------------------------------------


def closed_peers(relay: CoreRelay) -> list[Peer]:
    """One that was closed in each state."""
    relay.slow_directory = True
    new, known = relay.alice.peer(), relay.alice.peer()
    known.says_hello(relay.alice.public_key)
    relay.slow_directory = False
    opened = relay.alice.backend("a:b")
    opened.subscribes("news")
    for peer in (new, known, opened):
        relay.hub.close(peer.connection, Closing(4410), relay.now)
        peer.assert_closed(4410)
    return [new, known, opened]


def test_after_bye_nothing_is_read_or_sent(relay: CoreRelay, alice: Project) -> None:
    peers = closed_peers(relay)
    for peer in peers:
        peer.says_hello(alice.public_key)
        peer.sends("subscribe", id="s1", channels=["news"])
        peer.sends_raw("garbage")
        peer.sends_raw("x" * 1_500_000)
        peer.sends_raw("x" * 3_000_000)
        assert (list(peer.inbox), peer.closed) == ([], 4410)
        assert peer.connection.state is State.CLOSED
    assert not alice.tenant.connections
    assert not alice.tenant.channels.by_name


def test_closing_and_ending_twice_does_nothing_more(relay: CoreRelay, alice: Project) -> None:
    for peer in closed_peers(relay):
        relay.hub.close(peer.connection, Closing(4410), relay.now)
        peer.leaves()
        peer.leaves()
    assert relay.hub.connections == 0
    relay.look_up()
    assert relay.hub.connections == 0
    alice.frontend()
    assert relay.hub.connections == 1


@pytest.mark.parametrize("code", [1012, 4401, 4403, 4410, 4430])
def test_bye_says_whether_to_come_back(relay: CoreRelay, alice: Project, code: int) -> None:
    page = alice.frontend()
    relay.hub.close(page.connection, Closing(code, "Because.", after=700), relay.now)
    page.assert_closed(code, message="Because.", after=700)
