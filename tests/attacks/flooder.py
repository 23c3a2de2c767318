"""An attacker in a process of its own: `python -m tests.attacks.flooder`, with its orders as JSON on standard input.

It keeps SOCKETS connections from one address, each with a hello if the attack has a key, and writes the attack's
frames into them: at line speed, or `rate` bytes a second. A connection that ends is opened again at once. At the end
(a signal, or `seconds` later) it prints what it has sent, and how often it had to come back.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field

from tests.relay.harness.raw import HANDSHAKE, framed

SOCKETS = 50
PIECE = 65_536  # bytes of a write
ADDRESS = "127.0.0.2"
BARE = b"\x80\0\0\0\0"  # a masked frame without payload, behind its first byte
ATTACKS = {
    "WebSocket pings, no hello": b"\x89" + BARE,
    "WebSocket pongs, no hello": b"\x8a" + BARE,
    "empty fragments": b"\x00" + BARE,
    "bad frames": framed({"type": "dance"}),
    **{kind: framed({"type": kind, "id": "1"}) for kind in ("ping", "pong", "cancel", "result", "progress", "error")},
    "calls of nobody": framed({"type": "call", "id": "c", "cmd": "nobody"}),
    "1 MB calls of nobody": b"\x81\xff" + (1_000_048).to_bytes(8, "big") + b"\0\0\0\0"
    + b'{"type":"call","id":"c","cmd":"nobody","data":"' + b"[" * 999_999 + b'"}',
    "connections only": b"",
}  # fmt: skip
FIRST = {"empty fragments": b"\x01" + BARE}  # what comes once before the flood
WITHOUT_HELLO = {"WebSocket pings, no hello", "WebSocket pongs, no hello", "connections only"}


@dataclass
class Flooder:
    """One attack. `sent`: bytes; `opened`, `refused`: connections that were accepted, and that were not."""

    attack: str
    port: int
    project: str
    key: str
    rate: int
    sent: int = 0
    opened: int = 0
    refused: int = 0
    began: float = field(default_factory=time.monotonic)

    async def run(self, seconds: float) -> None:
        """Attack with all sockets."""
        frame = ATTACKS[self.attack]
        piece = frame * max(1, PIECE // len(frame)) if frame else b""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(self.again_and_again(piece) for _ in range(SOCKETS)))
        except TimeoutError:
            print(json.dumps({"sent": self.sent, "opened": self.opened, "refused": self.refused}))

    async def again_and_again(self, piece: bytes) -> None:
        while True:
            try:
                await self.once(piece)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0)

    async def once(self, piece: bytes) -> None:
        """One connection, until it ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(ADDRESS, 0))
        try:
            writer.write(HANDSHAKE.format(self.project).encode())
            if not (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"):
                self.refused += 1
                return
            self.opened += 1
            if self.attack not in WITHOUT_HELLO:
                writer.write(framed({"type": "hello", "key": self.key}))
                await reader.readuntil(b"welcome")
            writer.write(FIRST.get(self.attack, b""))
            dropping = asyncio.ensure_future(drop(reader))
            while piece and not dropping.done():
                await self.keep_rate()
                writer.write(piece)
                self.sent += len(piece)
                await writer.drain()
        finally:
            writer.transport.abort()

    async def keep_rate(self) -> None:
        """Wait until the next piece keeps the rate, if there is one."""
        if self.rate:
            await asyncio.sleep(max(0.0, self.sent / self.rate - (time.monotonic() - self.began)))


async def drop(reader: asyncio.StreamReader) -> None:
    """Read to the end, as no flooder that fills up its own side would."""
    try:
        while await reader.read(65_536):
            pass
    except OSError:
        return


if __name__ == "__main__":
    os.nice(10)  # it may have a whole core, and not what the victim needs of it
    orders = json.loads(sys.stdin.readline())
    seconds = orders.pop("seconds")
    asyncio.run(Flooder(**orders).run(seconds))
