"""nginx never runs a call twice. Its relays are programs here that end without an answer, and count what they read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.harness.nginx import Nginx


class Dying:
    """Reads a request's head, and ends the connection; with an answer only if it `answers`."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.answers = False

    async def start(self) -> "Dying":
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.read.append(await reader.readuntil(b"\r\n\r\n"))
        if self.answers:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


@pytest.fixture
async def relays() -> AsyncIterator[list[Dying]]:
    relays = [await Dying().start() for _ in range(2)]
    yield relays
    for relay in relays:
        relay.server.close()


@pytest.fixture
async def nginx(folder: Path, relays: list[Dying]) -> AsyncIterator[Nginx]:
    nginx = Nginx(folder, [relay.port for relay in relays])
    yield await asyncio.to_thread(nginx.start)
    nginx.close()


async def ask(nginx: Nginx, method: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=nginx.tls, trust_env=False) as client:
        return await client.request(method, nginx.http + path, content=b"1" if method == "POST" else None)


@pytest.mark.parametrize("verb", ["call", "send", "publish"])
async def test_a_post_that_was_sent_is_not_sent_again(nginx: Nginx, relays: list[Dying], verb: str) -> None:
    answer = await ask(nginx, "POST", f"/v1/{verb}/calculator:add")
    assert sum(len(relay.read) for relay in relays) == 1
    assert (answer.status_code, answer.json()["code"]) == (502, "connection_lost")
    assert answer.headers["Retry-After"] == "1"


async def test_what_was_only_asked_is_asked_elsewhere_once(nginx: Nginx, relays: list[Dying]) -> None:
    assert (await ask(nginx, "GET", "/v1/channels?channel=news")).status_code == 502
    assert [len(relay.read) for relay in relays] == [1, 1]


async def test_a_post_that_could_not_be_sent_goes_elsewhere(nginx: Nginx, relays: list[Dying]) -> None:
    down, up = relays
    down.server.close()
    await down.server.wait_closed()
    up.answers = True
    answers = [await ask(nginx, "POST", f"/v1/call/x:{number}") for number in range(8)]  # at random: half to the first
    assert [answer.status_code for answer in answers] == [204] * 8


async def test_a_lost_post_leaves_nobody_without_a_relay(nginx: Nginx, relays: list[Dying]) -> None:
    for _ in range(4):
        await ask(nginx, "POST", "/v1/call/x")
    relays[0].answers = relays[1].answers = True
    assert (await ask(nginx, "POST", "/v1/call/x")).status_code == 204


async def test_a_relay_hears_no_header_that_a_client_made_up(nginx: Nginx, relays: list[Dying]) -> None:
    made_up = {"X-Forwarded-Host": "evil.example", "Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.1"}
    async with httpx.AsyncClient(verify=nginx.tls, trust_env=False) as client:
        await client.post(f"{nginx.http}/v1/call/x", headers=made_up)
    heard = next(relay.read[0].lower() for relay in relays if relay.read)
    assert b"x-forwarded-for: 127.0.0.1\r\n" in heard
    assert b"x-forwarded-proto: https\r\n" in heard
    assert b"192.0.2.1" not in heard
    assert b"evil.example" not in heard
