"""One small client of the protocol: what a test says and hears."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, CloseCode

PATIENCE = 15.0  # s to wait for what must come
BELOW = (1007, 1009)  # close codes of the server itself, below the protocol
Frame = dict[str, Any]
Answer = Callable[[Frame], Awaitable[Mapping[str, Any]]]


async def open_socket(
    url: str, *, ip: str = "127.0.0.1", origin: str | None = None, spoken: bool = True, **options: Any
) -> ClientConnection:
    """A socket whose hello is not said yet. `ip`: any of 127.0.0.0/8, to be another client."""
    return await connect(
        url,
        subprotocols=["gluer.v1.json"] if spoken else None,  # type: ignore[list-item]
        origin=origin,  # type: ignore[arg-type]
        local_addr=(ip, 0),
        compression=None,
        max_size=None,
        ping_interval=None,
        open_timeout=PATIENCE,
        close_timeout=1,
        proxy=None,
        **{"max_queue": None, **options},
    )


class Peer:
    """Reads when it is asked to; answers the relay's pings on the way."""

    def __init__(self, socket: ClientConnection, *, abrupt: bool = False) -> None:
        self.socket = socket
        self.abrupt = abrupt  # this server ends what it cannot read without a close frame
        self.welcome: Frame = {}
        self.serving: asyncio.Task[None] | None = None
        self.early: deque[Frame] = deque()  # frames that came before an answer that was waited for

    # --- says --------------------------------------------------------------------------------------------------------

    async def send(self, type: str, /, **fields: Any) -> None:
        await self.send_raw(json.dumps({"type": type, **fields}))

    async def send_raw(self, frame: str | bytes, *, text: bool = True) -> None:
        """Bytes go as a text frame too, whatever they hold, unless `text` is False."""
        with contextlib.suppress(ConnectionClosed):  # what the relay said to it is still there to be read
            await self.socket.send(frame, text=text)

    def send_at_once(self, *frames: Mapping[str, Any]) -> None:
        """All in one piece, as a client does that does not wait for its welcome."""
        for frame in frames:
            self.socket.protocol.send_text(json.dumps(frame).encode())
        self.socket.transport.write(b"".join(self.socket.protocol.data_to_send()))

    async def hello(self, **fields: Any) -> "Peer":
        await self.send("hello", sdk="tests/1.0.0", **fields)
        self.welcome = await self.assert_received("welcome")
        return self

    async def register(self, *functions: str) -> "Peer":
        await self.send("register", id="register", functions=[{"name": name} for name in functions])
        return await self._registered()

    async def offer(self, name: str, **options: Any) -> "Peer":
        """Register one function with options."""
        await self.send("register", id="register", functions=[{"name": name, **options}])
        return await self._registered()

    async def _registered(self) -> "Peer":
        """Wait for the answer; calls may come before it (GP-58), and are kept for whoever receives next."""
        calls = []
        while (frame := await self.receive())["type"] == "call":
            calls.append(frame)
        assert frame == {"type": "result", "id": "register", "data": {}}
        self.early.extend(calls)
        return self

    async def subscribe(self, *channels: str) -> "Peer":
        await self.send("subscribe", id="subscribe", channels=list(channels))
        await self.assert_received("result", id="subscribe", data={channel: {} for channel in channels})
        return self

    async def call(self, cmd: str, data: Any = None, /, id: str = "1", **fields: Any) -> Frame:
        """Returns the outcome, which must be the next frame."""
        await self.send("call", id=id, cmd=cmd, data=data, **fields)
        return await self.receive()

    def serve(self, answer: Answer) -> None:
        """From now on answer calls: with the fields of a `result`, or of another frame if they have a `type`."""
        self.serving = asyncio.create_task(self._serve(answer))

    async def _serve(self, answer: Answer) -> None:
        try:
            while True:
                frame = await self._next()
                if frame["type"] == "call":
                    reply = {"type": "result", "id": frame["id"], **await answer(frame)}
                    await self.send_raw(json.dumps(reply))
        except ConnectionClosed:
            return

    # --- hears -------------------------------------------------------------------------------------------------------

    async def receive(self) -> Frame:
        """The next frame that is no ping."""
        async with asyncio.timeout(PATIENCE):
            return await self._next()

    async def receive_some_time(self) -> Frame:
        """The next frame that is no ping, whenever it comes."""
        return await self._next()

    async def _next(self) -> Frame:
        if self.early:
            return self.early.popleft()
        while True:
            frame: Frame = json.loads(await self.socket.recv())
            if frame["type"] != "ping":
                return frame
            await self.send("pong")

    async def assert_received(self, type: str, /, **fields: Any) -> Frame:
        """The next frame is of this type and has these fields, whatever else it has."""
        frame = await self.receive()
        assert frame == {**frame, "type": type, **fields}
        assert next(iter(frame)) == "type"
        return frame

    async def assert_silent(self) -> None:
        """Nothing has come, or will of what the relay has done so far: a round trip brings nothing else."""
        await self.send("ping")
        assert await self.receive() == {"type": "pong"}

    async def assert_closed(self, number: int, /, **bye: Any) -> list[Frame]:
        """The relay closes with this code, behind a `bye` with these fields. Returns the frames before it."""
        frames = await self.until_closed()
        expected = None if self.abrupt and number in BELOW else number
        assert self.close_code == expected, f"{self.close_code} behind {frames[-3:]}"
        if number not in BELOW:
            said = frames.pop()
            assert said == {**said, "type": "bye", **bye}
            assert "bye" not in {frame["type"] for frame in frames}
        return frames

    async def until_closed(self) -> list[Frame]:
        """Everything until the end of the connection."""
        frames = []
        try:
            while True:
                frames.append(await self.receive())
        except ConnectionClosed:
            return frames

    @property
    def close_code(self) -> int | None:
        closed: Close | None = self.socket.protocol.close_rcvd
        return closed.code if closed else None

    # --- ends --------------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """This end's."""
        port: int = self.socket.local_address[1]
        return port

    async def vanish(self) -> None:
        """The socket ends without a word."""
        self.socket.transport.abort()

    async def close(self) -> None:
        await self.socket.close(CloseCode.GOING_AWAY)
        if self.serving:
            await self.serving
