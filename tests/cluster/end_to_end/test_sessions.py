"""Servers call pages, with the SDKs as they are shipped."""

from typing import Any

import pytest

from tests.cluster.end_to_end.door import Project
from tests.cluster.end_to_end.program import BackEnd, FrontEnd, GluerError

SESSION = "session-of-a-page"


async def ask(server: BackEnd, page: FrontEnd, **to: str) -> Any:
    return await server.ask("call", cmd="confirm", data="Buy?", to=to, timeout=5_000)


async def test_a_server_calls_the_page_of_a_session(alice: Project, charlie: Project) -> None:
    stranger = await charlie.back_end()
    server = await alice.back_end()
    page = await alice.front_end(session=SESSION)
    await page.ask("on", name="confirm")
    await page.call("shop:who")
    for to in ({"session": SESSION}, {"connection": page.welcome["connection"]}):
        reply = await ask(server, page, **to)
        assert (reply["data"]["data"], reply["reported"]) == ("Buy?", ["heard"])
        assert reply["data"]["header"] == {"connection": server.welcome["connection"], "peer": "backend"}
        with pytest.raises(GluerError, match="no_such_peer"):
            await ask(stranger, page, **to)
