"""Sockets without a library, for tests that need thousands of them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

HANDSHAKE = (
    "GET /v1/ws/{} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: gluer.v1.json\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"  # 1000; the mask is 0 everywhere here


def framed(frame: Mapping[str, Any]) -> bytes:
    """A text frame below 64 KiB (RFC 6455, 5.2)."""
    payload = json.dumps(frame).encode()
    short = len(payload) < 126
    head = bytes([0x81, 0x80 | len(payload)]) if short else b"\x81\xfe" + len(payload).to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class RawSocket:
    """Says all it has to say at once, as soon as it may."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, project: str, *frames: Mapping[str, Any]) -> "RawSocket":
        socket = cls(*await asyncio.open_connection("127.0.0.1", port))
        socket.writer.write(HANDSHAKE.format(project).encode())
        await socket.until(b"\r\n\r\n")
        socket.writer.write(b"".join(map(framed, frames)))
        return socket

    async def until(self, heard: bytes) -> None:
        async with asyncio.timeout(20):
            await self.reader.readuntil(heard)

    async def close(self) -> None:
        """With a close frame, and until the relay has ended the connection."""
        self.writer.write(CLOSE)
        async with asyncio.timeout(20):
            await self.reader.read()
        self.writer.close()
        await self.writer.wait_closed()

    def vanish(self) -> None:
        self.writer.transport.abort()
