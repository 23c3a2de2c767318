"""Frames as server-sent events (HTML Living Standard, 9.2): the frame's type is the event, the whole frame its data."""

import asyncio
from typing import Any

import msgspec

from relay.core.errors import Refused
from relay.edge.exchange import Exchange

KEEP_ALIVE = 15.0  # s between comments, so that no proxy takes a silent stream for a dead one
ENDS = frozenset({"result", "error", "bye"})  # of a call's stream


class Type(msgspec.Struct):
    """The only field of a frame that the stream reads."""

    type: str


class Refusal(msgspec.Struct):
    """What `error` and `notice` have in common."""

    code: str
    message: str
    retry_after: int | None = None
    data: Any = None


type_of = msgspec.json.Decoder(Type)
_refusal = msgspec.json.Decoder(Refusal)


class EventStream:
    """Answers a request with events until it is closed; what waits for a slow reader is bounded by its outbox."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self) -> None:
        """Send the status and headers."""
        await self.exchange.begin(200, [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")])

    async def write(self, message: dict[str, Any]) -> None:
        """What an Outbox writes: a frame, or the close."""
        if message["type"] == "websocket.close":
            await self.exchange.send({"type": "http.response.body", "body": b""})
            self.end()
        else:
            await self.part(event(message["text"].encode()))

    async def keep_alive(self) -> None:
        """Comment again and again."""
        while not self.ended.done():
            await asyncio.sleep(KEEP_ALIVE)
            await self.part(b": alive\n\n")

    async def part(self, body: bytes) -> None:
        if not self.ended.done():
            await self.exchange.send({"type": "http.response.body", "body": body, "more_body": True})

    def end(self) -> None:
        """Nothing more is written."""
        if not self.ended.done():
            self.ended.set_result(None)


def event(frame: bytes) -> bytes:
    """A frame as an event; JSON on the wire has no raw line breaks but between its parts, where they mean nothing."""
    name = type_of.decode(frame).type.encode()
    return b"event: " + name + b"\ndata: " + frame.replace(b"\r", b"").replace(b"\n", b" ") + b"\n\n"


def is_last(frame: bytes) -> bool:
    """Whether a call's stream ends with this frame."""
    return type_of.decode(frame).type in ENDS


def refusal(first: bytes) -> Refused | None:
    """The refusal that a first frame is, if it is one."""
    if type_of.decode(first).type not in ("error", "notice"):
        return None
    frame = _refusal.decode(first)
    return Refused(frame.code, frame.message, frame.retry_after, frame.data)
