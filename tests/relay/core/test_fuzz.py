"""Whatever text a peer sends, the hub raises nothing and nobody else hears of it (GP-30)."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.core.limits import Limits
from tests.relay.core.cast import CoreRelay, Peer

VALID: list[dict[str, Any]] = [
    {"type": "hello", "key": "alice-public", "session": "0123456789abcdef", "name": "n", "sdk": "s"},
    {"type": "call", "id": "c1", "cmd": "a:b", "data": {"a": [1, "x", None]}, "timeout": 5000},
    {"type": "send", "cmd": "a:b", "data": "x"},
    {"type": "cancel", "id": "c1"},
    {"type": "progress", "id": "1", "data": 1},
    {"type": "result", "id": "1", "data": {}, "outcome": "users.created"},
    {"type": "error", "id": "1", "code": "app_error", "message": "No.", "data": []},
    {"type": "register", "id": "r1", "functions": [{"name": "x:y", "description": "d"}]},
    {"type": "unregister", "id": "r2", "functions": [{"name": "x:y"}]},
    {"type": "subscribe", "id": "s1", "channels": ["mine"], "since": {"mine": "0-1"}},
    {"type": "unsubscribe", "id": "s2", "channels": ["mine"]},
    {"type": "publish", "id": "p1", "channel": "mine", "data": 1, "exclude_me": True},
    {"type": "ping"},
    {"type": "pong"},
]
LETTERS = st.text(alphabet='{}[]":,\\u0019d8e\n\x00\x7f é\U0001f600truefalsn-+.', max_size=12)
junk: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
)


@st.composite
def mutated_frames(draw: st.DrawFn) -> bytes:
    """A valid frame with a field changed, dropped or added, then some of its text changed."""
    frame = dict(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*frame, "to", "idempotency_key", "header", "colour"]))
        if draw(st.booleans()):
            frame.pop(name, None)
        else:
            frame[name] = draw(junk)
    text = json.dumps(frame, ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 4))
        text = text[:at] + draw(LETTERS) + text[at + length :]
    return text.encode("utf-8", "replace")


any_text = st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
whatever = mutated_frames() | any_text | st.builds(lambda text: text.encode(), LETTERS)


def neighbours(relay: CoreRelay) -> list[Peer]:
    """Those who must hear nothing: in the project and outside, with the same names."""
    peers = [relay.alice.frontend(), relay.alice.backend("other:fn")]
    peers += [relay.charlie.frontend(), relay.charlie.backend("a:b", "x:y")]
    for peer in peers:
        peer.subscribes("news" if peer.connection.project_id == relay.alice.id else "mine")
    return peers


def assert_untouched(peers: list[Peer]) -> None:
    for peer in peers:
        assert not peer.inbox, peer.inbox
        peer.assert_alive()
    page, server = peers[:2]
    page.calls("other:fn", "still-works")
    server.sends("result", id=server.assert_received("call")["id"], data=1)
    page.assert_received("result", id="still-works")


@settings(max_examples=400, deadline=None)
@given(st.lists(whatever, min_size=1, max_size=8), st.sampled_from(["new", "frontend", "backend"]))
@example([b'{"type":"call","id":"\\ud800","cmd":"a"}'], "frontend")
@example([b'{"type":"dance", garbage'], "frontend")
@example([b'{"type":"call","id":"c1","cmd":"a:b"}', b'{"type":"call","id":"c1"}'], "backend")
def test_arbitrary_text_harms_nobody(texts: list[bytes], kind: str) -> None:
    relay = CoreRelay(Limits(frame=500))
    others = neighbours(relay)
    peer = relay.alice.peer()
    if kind != "new":
        peer.says_hello(relay.alice.public_key if kind == "frontend" else relay.alice.private_key)
    for text in texts:
        peer.sends_raw(text)
        relay.advances(0.1)
    assert_untouched(others)
    relay.hub.disconnect(peer.connection, relay.now)
    relay.hub.sweep(relay.now)
    assert_untouched(others)
