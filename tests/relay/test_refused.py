"""A project sees what was refused to its pages and back ends, over WebSocket and HTTP, and nobody else's."""

from tests.relay.harness.shop import Shop
from tests.relay.harness.told import refused

OURS, THEIRS = "https://shop.example", "https://evil.example"


async def test_a_project_sees_what_its_pages_asked_for_in_vain(alice: Shop, charlie: Shop) -> None:
    page = await alice.frontend()
    await page.call("shop:ad")
    await page.send("send", cmd="shop:ad")
    await page.assert_received("notice")
    assert (await alice.post("/v1/call/shop:ad")).status_code == 404
    assert (await alice.post("/v1/send/shop:ad")).status_code == 404
    assert (await alice.post("/v1/publish/news")).status_code == 403
    seen = {("call", "no_such_function", "shop:ad"): 2, ("send", "no_such_function", "shop:ad"): 2}
    assert await alice.refused() == {**seen, ("publish", "forbidden", "news"): 1}
    assert await alice.calls() == {"no_such_function": 4}
    assert await charlie.refused() == {}


async def test_a_project_sees_who_was_not_let_in_though_nobody_else_is_there(alice: Shop) -> None:
    """Made up, or of a key that was revoked: the key names the project."""
    revoked = alice.office.new_key(alice.id, "private")
    alice.office.ask("revoke", key=revoked)
    alice.office.ask("change_project", id=alice.id, allowed_origins=[OURS], require_password=True)
    for hello in ({"key": revoked}, {"key": alice.private}, {"key": alice.private, "password": "wrong"}):
        peer = await alice.socket()
        await peer.send("hello", **hello)
        await refused(4401)(peer)
    for key in (alice.public, alice.private):
        peer = await alice.socket(origin=THEIRS)
        await peer.send("hello", key=key)
        await refused(4403)(peer)
    assert (await alice.post("/v1/call/a:b", revoked)).status_code == 401
    assert (await alice.post("/v1/call/a:b", alice.private)).status_code == 401
    assert (await alice.post("/v1/call/a:b", headers={"Origin": THEIRS})).status_code == 403
    assert await alice.refused() == {
        ("hello", "unauthorized", "key"): 2,
        ("hello", "unauthorized", "password"): 3,
        ("hello", "forbidden", f"origin {THEIRS}"): 2,
        ("hello", "forbidden", "private key in a browser"): 1,
    }


async def test_a_used_up_plan_is_seen_by_name(alice: Shop) -> None:
    alice.office.ask("set_plan", workspace=alice.workspace, requests=0)
    await alice.calculator()
    await (await alice.frontend()).call("calculator:add", {"a": 1, "b": 1})
    assert (await alice.post("/v1/call/calculator:add", json={"a": 1, "b": 1})).status_code == 429
    assert await alice.refused() == {("call", "quota_exceeded", "calculator:add"): 2}
