"""Server-sent events: calls with progress, and many subscribers (section 6)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.relay.harness.peer import Frame, Peer
from tests.relay.harness.shop import Shop

SUBSCRIBERS = 1_000


class EventStream:
    """A request whose answer is a stream of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, shop: Shop, request: str, body: str = "") -> "EventStream":
        stream = cls(*await asyncio.open_connection("127.0.0.1", shop.relay.port))
        lines = [
            f"{request} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {shop.public}",
            "Accept: text/event-stream",
            f"Content-Length: {len(body)}",
        ]
        stream.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        head = await stream.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"content-type: text/event-stream" in head
        return stream

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readuntil(end)

    async def event(self) -> Frame:
        """The next one; its name is its frame's type."""
        text = (await self.until(b"\n\n")).decode()
        lines = [line for line in text.splitlines() if line.startswith(("event: ", "data: "))]
        frame: Frame = json.loads(lines[1].removeprefix("data: "))
        assert lines[0] == f"event: {frame['type']}"
        return frame

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def opened(shop: Shop, request: str, body: str = "") -> AsyncIterator[EventStream]:
    stream = await EventStream.open(shop, request, body)
    try:
        yield stream
    finally:
        stream.close()


async def test_a_call_with_progress_by_events(alice: Shop) -> None:
    callee = await alice.backend("report")
    request = asyncio.create_task(EventStream.open(alice, "POST /v1/call/report", '{"month":11}'))
    call = await callee.assert_received("call", data={"month": 11})
    stream = await request
    for percent in (10, 50, 90):
        await callee.send("progress", id=call["id"], data=percent)
        frame = await stream.event()
        assert (frame["type"], frame["data"]) == ("progress", percent)
    await callee.send("result", id=call["id"], data="done", outcome="report.made")
    frame = await stream.event()
    assert (frame["type"], frame["data"], frame["outcome"]) == ("result", "done", "report.made")
    assert (await stream.until(b"0\r\n\r\n")).endswith(b"0\r\n\r\n")
    stream.close()


async def test_a_call_by_events_ends_with_its_error_and_is_cancelled_with_its_caller(alice: Shop) -> None:
    callee = await alice.backend("report")
    async with opened(alice, "POST /v1/call/report") as stream:
        call = await callee.assert_received("call")
        await callee.send("error", id=call["id"], code="rejected", message="Not you.")
        frame = await stream.event()
        assert (frame["type"], frame["code"], frame["message"]) == ("error", "rejected", "Not you.")
    async with opened(alice, "POST /v1/call/report"):
        call = await callee.assert_received("call")
    await callee.assert_received("cancel", id=call["id"])


async def test_a_thousand_subscribers_by_events(alice: Shop) -> None:
    server = await alice.backend("a")
    streams = [await EventStream.open(alice, "GET /v1/channels?channel=news") for _ in range(SUBSCRIBERS)]
    for stream in streams:
        assert (await stream.event())["data"] == {"news": {}}
    for number in range(5):
        await server.send("publish", id=str(number), channel="news", data=number)
        await server.assert_received("result", id=str(number), data={"receivers": SUBSCRIBERS})
    for number in range(5):
        for stream in streams:
            frame = await stream.event()
            assert (frame["type"], frame["channel"], frame["data"]) == ("message", "news", number)
    for stream in streams:
        stream.close()
    async with asyncio.timeout(10):
        while await receivers(server):
            pass


async def receivers(server: Peer) -> int:
    """How many subscribe now."""
    await server.send("publish", id="1", channel="news")
    number: int = (await server.assert_received("result"))["data"]["receivers"]
    return number
