"""Messages to pages and servers, with the SDKs as they are shipped."""

import asyncio

from tests.cluster.end_to_end.door import Project
from tests.cluster.end_to_end.program import BackEnd, Program

NEWS = "news"
ANYBODY = "Is everybody there?"


async def everybody_listens(server: BackEnd, readers: list[Program]) -> None:
    """Subscribe them all, and ask until as many hear it."""
    for reader in readers:
        await reader.subscribe(NEWS)
    async with asyncio.timeout(5):
        while await server.publish(NEWS, ANYBODY) != len(readers):
            pass


async def heard(reader: Program, number: int) -> list[int]:
    """So many messages came, and nothing else."""
    await reader.told("message", data=number - 1)
    return [data for data in reader.messages() if data != ANYBODY]


async def test_all_subscribers_hear_all_in_order(alice: Project, charlie: Project) -> None:
    server = await alice.back_end()
    pages = await asyncio.gather(*(alice.front_end() for _ in range(3)))
    stranger = await charlie.front_end()
    await stranger.subscribe(NEWS)
    await everybody_listens(server, [server, *pages])
    assert set(await asyncio.gather(*(server.publish(NEWS, number) for number in range(100)))) == {4}
    for reader in (server, *pages):
        assert await heard(reader, 100) == list(range(100))
    assert stranger.messages() == []


async def test_a_publish_over_http_reaches_all(alice: Project) -> None:
    server = await alice.back_end()
    page = await alice.front_end()
    await everybody_listens(server, [server, page])
    for number in range(3):
        answer = await alice.front_door.post(f"/v1/publish/{NEWS}", alice.front_door.private, json=number)
        assert (answer.status_code, answer.json()) == (200, {"receivers": 2})
    for reader in (server, page):
        assert await heard(reader, 3) == [0, 1, 2]
