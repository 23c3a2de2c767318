"""A network between a relay and a server of the cluster that can stop, break, and forget its connections."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


class Network:
    """Give a relay its `port`. It runs in a thread, since relays outlive the event loop of a test."""

    def __init__(self, there: int) -> None:
        """`there`: the server's port."""
        self.there = there
        self.writers: set[asyncio.StreamWriter] = set()
        self.forgotten: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.passes = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._run(self.passes.set)
        self.server = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(5)
        self.port: int = self.server.sockets[0].getsockname()[1]

    # --- what it does to the network ---------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Nothing passes any more; no socket ends."""
        self._run(self.passes.clear)

    def mend(self) -> None:
        """What was said meanwhile arrives."""
        self._run(self.passes.set)

    def reset(self) -> None:
        """All connections end at once; new ones are let through."""
        self._run(self._reset)

    def forget(self) -> None:
        """Nothing passes on the open connections any more, and none of them ends; new ones are let through."""
        self._run(lambda: self.forgotten.update(self.writers))

    def close(self) -> None:
        self._run(self.server.close)
        self.reset()
        self._run(lambda: [task.cancel() for task in asyncio.all_tasks(self.loop)])
        self._run(lambda: None)  # they have ended
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def _run(self, work: Callable[[], object]) -> None:
        """In the thread, and return when it is done."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(work)
        self.loop.call_soon_threadsafe(done.set)
        assert done.wait(5)

    # --- the bytes ---------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.there)
            both = {writer, there_writer}
            self.writers |= both
            asks = asyncio.create_task(self._pass(reader, there_writer))
            with suppress(OSError, asyncio.CancelledError):  # by close()
                await self._pass_replies(there_reader, writer)
            asks.cancel()
            self.writers -= both
            there_writer.transport.abort()
        writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self.passes.wait()
                if writer not in self.forgotten:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    async def _pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.passes.wait()
            if writer not in self.forgotten:
                writer.write(data)
                await writer.drain()
