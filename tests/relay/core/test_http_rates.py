"""Requests by HTTP use the rates of their key and of their address, as frames of sockets do (GP-53, GP-5E)."""

from itertools import count

import pytest
from msgspec import Raw

from relay.core import frames
from relay.core.errors import Refused
from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Project

HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"
BURST = 10  # of 5 a second
NULL = Raw(b"null")
FRAMES: dict[str, frames.AnyFrame] = {
    "call": frames.Call(id="c1", cmd="a:b", data=NULL),
    "send": frames.Send(cmd="a:b", data=NULL),
    "publish": frames.Publish(id="p1", channel="news", data=NULL),
    "subscribe": frames.Subscribe(id="s1", channels=["news"]),
    "no such function": frames.Call(id="c1", cmd="no:where", data=NULL),
}
addresses = map("192.0.2.{}".format, count(10))


@pytest.fixture
def alice(request: pytest.FixtureRequest) -> Project:
    """Her project at a relay with these limits, with a back end."""
    relay = CoreRelay(request.param)
    relay.alice.backend("a:b")
    relay.leaps(60)  # what that used has come back
    return relay.alice


def asks(project: Project, key: str, ip: str, frame: frames.AnyFrame, size: int = 0) -> str:
    """One request, a connection of its own; the code of its refusal, or ""."""
    peer = project.by_http(key, ip)
    try:
        peer.asks(frame, size)
    except Refused as refused:
        return refused.code
    finally:
        peer.leaves()
    return ""


def key_of(project: Project, frame: frames.AnyFrame) -> str:
    return project.private_key if isinstance(frame, frames.Publish) else project.public_key


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("alice", [Limits(key_rate=5)], indirect=True)
def test_requests_of_one_key_share_its_rate_wherever_they_come_from(alice: Project, kind: str) -> None:
    frame = FRAMES[kind]
    key = key_of(alice, frame)
    codes = [asks(alice, key, next(addresses), frame) for _ in range(BURST + 5)]
    assert codes[BURST:] == ["rate_limited"] * 5
    assert "rate_limited" not in codes[:BURST]
    other = alice.public_key if key == alice.private_key else alice.private_key
    assert asks(alice, other, next(addresses), FRAMES["call"]) == ""
    alice.relay.leaps(0.25)
    assert asks(alice, key, next(addresses), frame) == codes[0]


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("alice", [Limits(ip_rate=5)], indirect=True)
def test_requests_of_one_address_share_its_rate_whatever_key_they_show(alice: Project, kind: str) -> None:
    frame, charlie = FRAMES[kind], alice.relay.charlie
    projects = [alice, charlie] * BURST
    codes = [asks(project, key_of(project, frame), HERE, frame) for project in projects[: BURST + 5]]
    assert codes[BURST:] == ["rate_limited"] * 5
    assert "rate_limited" not in codes[:BURST]
    assert asks(alice, alice.public_key, ELSEWHERE, FRAMES["call"]) == ""


@pytest.mark.parametrize("alice", [Limits(key_rate=5), Limits(ip_rate=5)], indirect=True, ids=["key", "address"])
def test_a_socket_and_requests_share_both_rates(alice: Project) -> None:
    page = alice.frontend(ip=HERE)
    for number in range(BURST):
        page.calls("a:b", f"c{number}")
    assert asks(alice, alice.public_key, HERE, FRAMES["send"]) == "rate_limited"
    alice.relay.leaps(60)
    for _ in range(BURST):
        asks(alice, alice.public_key, HERE, FRAMES["send"])
    page.inbox.clear()
    page.calls("a:b", "again")
    page.assert_received("error", id="again", code="rate_limited")


@pytest.mark.parametrize("alice", [Limits(key_rate_bytes=5_000)], indirect=True)
def test_bodies_of_one_key_share_its_rate_of_bytes(alice: Project) -> None:
    """A burst is 10,000 bytes: four bodies of 2,000, with 256 for each, and the rest of it."""
    codes = [asks(alice, alice.public_key, next(addresses), FRAMES["send"], 2_000) for _ in range(8)]
    assert codes[:4] == [""] * 4
    assert codes[5:] == ["rate_limited"] * 3
    assert asks(alice, alice.private_key, next(addresses), FRAMES["send"], 2_000) == ""


@pytest.mark.parametrize("alice", [Limits(ip_rate_bytes=5_000)], indirect=True)
def test_bodies_of_one_address_share_its_rate_of_bytes(alice: Project) -> None:
    charlie = alice.relay.charlie
    charlie.backend("a:b")
    alice.relay.leaps(60)
    codes = [asks(project, project.public_key, HERE, FRAMES["send"], 2_000) for project in [alice, charlie] * 4]
    assert codes[:4] == [""] * 4
    assert codes[5:] == ["rate_limited"] * 3
    assert asks(alice, alice.public_key, ELSEWHERE, FRAMES["send"], 2_000) == ""
