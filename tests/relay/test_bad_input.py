"""Bad input: each gets its documented code, and harms no other connection (GP-30)."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.relay.conftest import SERVERS, running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.peer import Peer
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop
from tests.relay.harness.told import Told, closed, error, nothing, notice, refused, sometimes

FRAME = 1_048_576  # bytes, the limit of one frame
LIMITS = {
    "hello_seconds": 1, "hello_frames": 8, "hello_bytes": 20_000, "in_flight": 3, "subscriptions": 3, "functions": 3,
    "rate": 50, "key_connections": 8, "ip_connections": 20, "ip_failures": 1, "session_connections": 2,
}  # fmt: skip
Act = Callable[[Shop], Awaitable[Peer]]


@dataclass(frozen=True)
class Row:
    """Who does what in a project with these settings, and what the doer is told."""

    name: str
    act: Act
    told: Told
    settings: dict[str, Any] = field(default_factory=dict)


# --- who does it -----------------------------------------------------------------------------------------------------


def front_end(*frames: str | bytes | dict[str, Any]) -> Act:
    """A front end sends these frames."""

    async def act(shop: Shop) -> Peer:
        return await say(await shop.frontend(), *frames)

    return act


def back_end(*frames: str | bytes | dict[str, Any]) -> Act:
    """A back end with a function of its own sends these frames."""

    async def act(shop: Shop) -> Peer:
        return await say(await shop.backend("mine", password=shop.password), *frames)

    return act


def stranger(*frames: str | bytes | dict[str, Any]) -> Act:
    """A socket without a hello sends these frames."""

    async def act(shop: Shop) -> Peer:
        return await say(await shop.socket(), *frames)

    return act


def hello(origin: str | None = None, path: str | None = None, **fields: Any) -> Act:
    """A hello; fields that begin with "@" name the project's own values."""

    async def act(shop: Shop) -> Peer:
        own = {
            name: getattr(shop, value[1:]) if str(value).startswith("@") else value for name, value in fields.items()
        }
        return await say(await shop.socket(origin=origin, path=path), {"type": "hello", **own})

    return act


async def say(peer: Peer, *frames: str | bytes | dict[str, Any]) -> Peer:
    for frame in frames:
        await peer.send_raw(json.dumps(frame) if isinstance(frame, dict) else frame)
    return peer


async def binary(shop: Shop) -> Peer:
    peer = await shop.frontend()
    await peer.send_raw(b'{"type":"ping"}', text=False)
    return peer


async def without_subprotocol(shop: Shop) -> Peer:
    return await shop.socket(spoken=False)


async def revoked_key(shop: Shop) -> Peer:
    key = shop.office.new_key(shop.id, "public")
    shop.office.ask("revoke", key=key)
    return await hello(key=key)(shop)


async def right_behind_the_hello(shop: Shop, *frames: dict[str, Any]) -> Peer:
    """With a key that this relay must look up first."""
    peer = await shop.socket()
    peer.send_at_once({"type": "hello", "key": shop.office.new_key(shop.id, "public")}, *frames)
    return peer


async def too_many_behind_the_hello(shop: Shop) -> Peer:
    return await right_behind_the_hello(shop, *[{"type": "ping"}] * (LIMITS["hello_frames"] + 1))


async def anothers_call(shop: Shop) -> Peer:
    """Answers a call that another server of the same project has, and one of Charlie's number."""
    callee, caller, forger = await shop.backend("slow"), await shop.frontend(), await shop.backend()
    await caller.send("call", id="1", cmd="slow")
    call = await callee.assert_received("call")
    for kind in ("progress", "result", "error"):
        await forger.send(kind, id=call["id"], data="forged")
    await forger.assert_silent()
    await caller.assert_silent()
    await callee.send("result", id=call["id"], data="true")
    await caller.assert_received("result", data="true")
    return forger


async def too_many_of_one_address(shop: Shop) -> Peer:
    for _ in range(LIMITS["ip_connections"]):
        await shop.socket()
    return await shop.socket()


async def too_many_of_one_key(shop: Shop) -> Peer:
    for _ in range(LIMITS["key_connections"] - 1):  # the bystander has one
        await shop.frontend()
    return await hello(key="@public")(shop)


async def too_many_of_one_session(shop: Shop) -> Peer:
    for _ in range(LIMITS["session_connections"]):
        await shop.frontend(session="s" * 16)
    return await hello(key="@public", session="s" * 16)(shop)


async def too_many_wrong_keys(shop: Shop) -> Peer:
    for letter in "bc":  # 1 a second, 2 at once
        await (await hello(key=wrong(shop, letter))(shop)).assert_closed(4401)
    return await hello(key=wrong(shop, "d"))(shop)


async def too_many_calls_in_flight(shop: Shop) -> Peer:
    await shop.backend("slow")
    caller = await shop.frontend()
    for number in range(LIMITS["in_flight"] + 1):
        await caller.send("call", id=str(number), cmd="slow")
    return caller


async def a_call_twice(shop: Shop) -> Peer:
    callee, caller = await shop.backend("slow"), await shop.frontend()
    for _ in range(2):
        await caller.send("call", id="1", cmd="slow")
    call = await callee.assert_received("call")
    await caller.assert_received("notice", code="bad_frame", id="1", about="slow")
    await callee.send("result", id=call["id"], data="of the first")
    await caller.assert_received("result", id="1", data="of the first")
    await callee.assert_silent()
    return caller


def wrong(shop: Shop, letter: str = "a") -> str:
    """A key of the right form that nobody made."""
    return f"gluer_pub_{shop.id}_{letter * 32}"


async def wrong_key(shop: Shop) -> Peer:
    return await hello(key=wrong(shop))(shop)


async def wrong_checksum(shop: Shop) -> Peer:
    return await hello(key=shop.private[:-1] + ("a" if shop.private[-1] != "a" else "b"))(shop)


async def charlies_path(shop: Shop) -> Peer:
    return await hello(key="@public", path="a" * 12)(shop)


# --- what is done ----------------------------------------------------------------------------------------------------


def call(id: Any = "1", cmd: Any = "x", **fields: Any) -> dict[str, Any]:
    return {"type": "call", "id": id, "cmd": cmd, **fields}


def nested(levels: int) -> str:
    """A call whose frame and data nest so deep together."""
    return '{"type":"call","id":"1","cmd":"x","data":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def padded(size: int, **fields: Any) -> str:
    """A call of so many bytes."""
    empty = json.dumps(call(**fields, data=""))
    return json.dumps(call(**fields, data="x" * (size - len(empty))))


def functions(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **more} for name in names]


SUBSCRIBE = {"type": "subscribe", "id": "1"}
REGISTER = {"type": "register", "id": "1"}
PUBLISH = {"type": "publish", "channel": "news"}
HELLO = {"type": "hello"}
MANY_CALLS = [call(str(number)) for number in range(140)]

ROWS = [
    # what cannot be read at all
    Row("not JSON", front_end("hello?"), refused(4400, reconnect=False)),
    Row("half a frame", front_end('{"type":"ping"'), refused(4400)),
    Row("an empty frame", front_end(""), refused(4400)),
    Row("an array", front_end("[1]"), refused(4400)),
    Row("a number", front_end("1"), refused(4400)),
    Row("null", front_end("null"), refused(4400)),
    Row("two objects", front_end('{"type":"ping"}{"type":"ping"}'), refused(4400)),
    Row("a binary frame", binary, refused(4400)),
    Row("invalid UTF-8", front_end(b'{"type":"\xff"}'), refused(1007)),
    Row("invalid UTF-8 in data", front_end(b'{"type":"call","id":"1","cmd":"x","data":"\xc3\x28"}'), refused(1007)),
    Row("a surrogate in UTF-8", front_end(b'{"type":"call","id":"1","cmd":"x","data":"\xed\xa0\x80"}'), refused(1007)),
    # what is no frame
    Row("an unknown type", front_end({"type": "dance"}), notice("bad_frame", about="dance")),
    Row("an unknown type with an id", front_end({"type": "dance", "id": "1"}), notice("bad_frame", about="dance")),
    Row("no type", front_end({}), notice("bad_frame")),
    Row("a number as type", front_end({"type": 5}), notice("bad_frame")),
    Row("no cmd", front_end({"type": "call", "id": "1"}), error("bad_frame")),
    Row("a number as cmd", front_end(call(cmd=5)), error("bad_frame")),
    Row("an empty cmd", front_end(call(cmd="")), error("bad_frame")),
    Row("a cmd too long", front_end(call(cmd="x" * 129)), error("bad_frame")),
    Row("a cmd with a control character", front_end(call(cmd="a\nb")), error("bad_frame")),
    Row("a cmd that turns the direction of text", front_end(call(cmd="a\u202eb")), error("bad_frame")),
    Row("no id", front_end({"type": "call", "cmd": "x"}), notice("bad_frame", about="call")),
    Row("an empty id", front_end(call(id="")), notice("bad_frame")),
    Row("an id too long", front_end(call(id="x" * 65)), notice("bad_frame")),
    Row("a number as id", front_end(call(id=1)), notice("bad_frame")),
    Row("timeout 0", front_end(call(timeout=0)), error("bad_frame")),
    Row("a negative timeout", front_end(call(timeout=-1)), error("bad_frame")),
    Row("a timeout in words", front_end(call(timeout="soon")), error("bad_frame")),
    Row("half a millisecond", front_end(call(timeout=0.5)), error("bad_frame")),
    Row("a send without cmd", front_end({"type": "send"}), notice("bad_frame", about="send")),
    Row("a send to nobody", front_end({"type": "send", "cmd": "nobody"}), notice("no_such_function", about="nobody")),
    Row("channels as text", front_end({**SUBSCRIBE, "channels": "news"}), error("bad_frame")),
    Row("no channels", front_end(SUBSCRIBE), error("bad_frame")),
    Row("NaN in data", front_end('{"type":"call","id":"1","cmd":"x","data":NaN}'), error("bad_frame")),
    Row("129 levels in data", front_end(nested(129)), error("bad_frame")),
    Row("128 levels in data", front_end(nested(128)), error("no_such_function")),
    Row("100,000 levels", front_end("[" * 100_000 + "]" * 100_000), refused(4400)),
    Row("100,000 levels in data", front_end(nested(100_000)), notice("bad_frame")),
    Row(
        "a lone surrogate in data", front_end('{"type":"call","id":"1","cmd":"x","data":"\\ud800"}'), error("bad_frame")
    ),
    Row("a lone surrogate in a name", front_end('{"type":"call","id":"1","cmd":"\\udfff"}'), error("bad_frame")),
    Row("a second hello", front_end({**HELLO, "key": "x"}), notice("bad_frame", about="hello")),
    # size
    Row("1 byte too large", front_end(padded(FRAME + 1)), error("payload_too_large", data={"limit": FRAME})),
    Row("twice the limit", front_end(padded(2 * FRAME)), error("payload_too_large", data={"limit": FRAME})),
    Row("too large, no id", front_end(padded(FRAME + 1, id="")), notice("bad_frame")),
    Row("more than is read", front_end(padded(2 * FRAME + 1)), refused(1009)),
    # whose it is
    Row("a front end registers", front_end({**REGISTER, "functions": functions("f")}), error("forbidden")),
    Row("a front end unregisters", front_end({"type": "unregister", "id": "1", "functions": []}), error("forbidden")),
    Row("a front end publishes", front_end({**PUBLISH, "id": "1"}), error("forbidden")),
    Row("a front end publishes, no id", front_end(PUBLISH), notice("forbidden", about="news")),
    Row("a front end answers", front_end({"type": "result", "id": "1", "data": "forged"}), nothing()),
    Row("a result for another's call", anothers_call, nothing()),
    Row("a result for no call", back_end({"type": "result", "id": "999"}), nothing()),
    Row("an error for no call", back_end({"type": "error", "id": "x"}), nothing()),
    Row("a call twice", a_call_twice, nothing()),
    # names
    Row("a function's control character", back_end({**REGISTER, "functions": functions("a\x00b")}), error("bad_frame")),
    Row("a function's empty name", back_end({**REGISTER, "functions": functions("")}), error("bad_frame")),
    Row("a channel's control character", front_end({**SUBSCRIBE, "channels": ["a\x1b"]}), error("bad_frame")),
    Row("a reserved channel", front_end({**SUBSCRIBE, "channels": ["$gluer:all"]}), error("forbidden")),
    Row("publishing a reserved channel", back_end({**PUBLISH, "id": "1", "channel": "$gluer"}), error("forbidden")),
    # not served yet
    Row("to of a front end", front_end(call(cmd="mine", to={"session": "s" * 16})), error("forbidden")),
    Row("to nobody", back_end(call(cmd="mine", to={"session": "s" * 16})), error("no_such_peer")),
    Row("to without a target", back_end(call(cmd="mine", to={})), error("bad_frame")),
    Row("empty idempotency_key", front_end(call(cmd="calculator:add", idempotency_key="")), error("bad_frame")),
    Row("unknown policy", back_end({**REGISTER, "functions": functions("f", policy="best")}), error("bad_frame")),
    Row("no concurrency", back_end({**REGISTER, "functions": functions("f", concurrency=0)}), error("bad_frame")),
    Row("front end drains", front_end({"type": "drain", "id": "1"}), error("forbidden")),
    # the hello
    Row("no hello first", stranger({"type": "ping"}), refused(4400, reconnect=False)),
    Row("a call first", stranger(call()), refused(4400)),
    Row("no JSON first", stranger("hello"), refused(4400)),
    Row("a hello without key", stranger(HELLO), refused(4400)),
    Row("a number as key", hello(key=5), refused(4400)),
    Row("an empty session", hello(key="@public", session=""), refused(4400)),
    Row("a session too short", hello(key="@public", session="s" * 15), refused(4400)),
    Row("a reserved session", hello(key="@public", session="$gluer" + "s" * 16), refused(4400)),
    Row("a name with a control character", hello(key="@public", name="a\nb"), refused(4400)),
    Row("an sdk of zero width", hello(key="@public", sdk="a\u200bb"), refused(4400)),
    Row("no hello at all", stranger(), refused(4408, reconnect=True)),
    Row("no subprotocol", without_subprotocol, refused(4400)),
    Row("a key that is none", hello(key="letmein"), refused(4401, reconnect=False)),
    Row("a key nobody made", wrong_key, refused(4401, reconnect=False, code="unauthorized")),
    Row("a wrong checksum", wrong_checksum, refused(4401)),
    Row("an unknown project in the path", charlies_path, refused(4401)),
    Row("no project in the path", hello(key="@public", path=""), refused(4401)),
    Row("a revoked key", revoked_key, refused(4401)),
    Row("no password", hello(key="@private"), refused(4401), {"require_password": True}),
    Row("a wrong password", hello(key="@private", password="guess"), refused(4401), {"require_password": True}),
    Row("a private key in a browser", hello("https://shop.example", key="@private"), refused(4403, reconnect=False)),
    Row(
        "a page of another origin",
        hello("https://evil.example", key="@public"),
        refused(4403, reconnect=False, code="forbidden"),
        {"allowed_origins": ["https://shop.example"]},
    ),
    Row("too many frames before the welcome", too_many_behind_the_hello, refused(4413)),
    Row("a hello too large", stranger({"type": "hello", "key": "k", "name": "x" * 25_000}), refused(4413)),
    # too much
    Row("too many calls in flight", too_many_calls_in_flight, error("rate_limited", id="3", retryable=True)),
    Row("too many subscriptions", front_end({**SUBSCRIBE, "channels": list("abcd")}), error("rate_limited")),
    Row("too many functions", back_end({**REGISTER, "functions": functions(*"abc")}), error("bad_frame")),
    Row("too fast", front_end(*MANY_CALLS), sometimes("rate_limited", among=len(MANY_CALLS))),
    Row("much too fast", front_end(*MANY_CALLS * 4), closed(4429, reconnect=True, code="rate_limited")),
    Row("too many bad frames", front_end(*[{"type": "dance"}] * 500), closed(4429)),
    Row("too many connections of one address", too_many_of_one_address, refused(4429, reconnect=True)),
    Row("too many connections of one key", too_many_of_one_key, refused(4429)),
    Row("too many connections of one session", too_many_of_one_session, refused(4429)),
    Row("too many wrong keys", too_many_wrong_keys, refused(4429)),
]


@pytest.fixture(scope="module", params=SERVERS)
def strict(request: pytest.FixtureRequest, home: Home, office: Office) -> Iterator[RelayServer]:
    """A relay whose limits are quickly reached."""
    with running(RelayServer(home, request.param, **LIMITS), office) as server:
        yield server


@pytest.fixture
async def cast(strict: RelayServer, office: Office, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Shop, Shop]]:
    shops = Shop.open(strict, office, "Alice"), Shop.open(strict, office, "Charlie")
    yield shops
    for shop in shops:
        await shop.close()


@pytest.mark.parametrize(("number", "row"), list(enumerate(ROWS)), ids=[row.name for row in ROWS])
async def test_bad_input(cast: tuple[Shop, Shop], number: int, row: Row) -> None:
    alice, charlie = cast
    if row.settings:
        alice.office.ask("change_project", id=alice.id, **row.settings)
    bystander = await alice.frontend()
    await alice.calculator(password=alice.password)
    hears = await (await charlie.frontend()).subscribe("news")
    serves = await charlie.backend("calculator:add", "slow", "x")

    alice.ip = f"127.0.2.{number + 1}"  # addresses have limits too
    await row.told(await row.act(alice))

    outcome = await bystander.call("calculator:add", {"a": 5, "b": 3})
    assert outcome == {"type": "result", "id": "1", "data": {"result": 8}}
    for peer in (bystander, hears, serves):
        await peer.assert_silent()
