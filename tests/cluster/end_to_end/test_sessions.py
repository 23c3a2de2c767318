"""Servers call pages, with the SDKs as they are shipped."""

import pytest

from tests.cluster.end_to_end.door import Project
from tests.cluster.end_to_end.program import GluerError

SESSION = "session-of-a-page"
CONFIRM = "confirm"


async def test_a_server_calls_a_page_by_its_session_or_connection(alice: Project, charlie: Project) -> None:
    stranger, server = await charlie.back_end(), await alice.back_end()
    page = await alice.front_end(session=SESSION)
    await page.offer(CONFIRM)
    for to in ({"session": SESSION}, {"connection": page.welcome["connection"]}):
        reply = await server.call_page(CONFIRM, "Buy?", **to)
        assert (reply["data"]["data"], reply["reported"]) == ("Buy?", ["asked"])
        assert reply["data"]["header"] == {"connection": server.welcome["connection"], "peer": "backend"}
        with pytest.raises(GluerError, match="no_such_peer"):
            await stranger.call_page(CONFIRM, "Buy?", **to)
    assert len(page.all("asked")) == 2


async def test_a_send_reaches_all_pages_of_a_session(alice: Project, charlie: Project) -> None:
    server, stranger = await alice.back_end(), await charlie.front_end(session=SESSION)
    pages = [await alice.front_end(session=SESSION) for _ in range(2)]
    for page in (*pages, stranger):
        await page.offer(CONFIRM)
    await server.ask("send", cmd=CONFIRM, data="Sold.", to={"session": SESSION})
    for page in pages:
        await page.told("asked", data="Sold.")
    assert stranger.all("asked") == []
