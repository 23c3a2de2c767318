"""A network between a peer and the relay that can be cut without a word: nothing passes any more, no socket ends."""

import asyncio
from contextlib import suppress


class Proxy:
    """Passes on what comes to `port`, until `cut()`."""

    def __init__(self, relay_port: int) -> None:
        self.relay_port = relay_port
        self.passes = asyncio.Event()
        self.passes.set()
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Proxy":
        self.server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    def url(self, project: str) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws/{project}"

    def cut(self) -> None:
        """From now on both sides speak into the void."""
        self.passes.clear()

    def mend(self) -> None:
        """What was said meanwhile arrives."""
        self.passes.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.relay_port)
        self.writers += [writer, there_writer]
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self.passes.wait()
                writer.write(data)
                await writer.drain()
        if self.passes.is_set():
            writer.close()
