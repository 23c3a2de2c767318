"""A network between a program and Redis that can stop, break, be slow, forget connections, and lose single messages."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.cluster.harness.redis import RELAY_PASSWORD, WORKER_PASSWORD, Redis

MESSAGE = (b"*3\r\n$7\r\nmessage\r\n", b">3\r\n$7\r\nmessage\r\n")  # RESP 2 and 3: what a subscriber is told
BULKS, LISTS, MAPS = b"$=!", b"*>~", b"%|"


class Cut:
    """Give a relay its `url`, or worker and beat their `worker_url`.

    It runs in a thread, since programs outlive the event loop of a test. `late`: s that each reply takes longer.
    """

    def __init__(self, redis: Redis, *, late: float = 0.0) -> None:
        self.redis, self.late = redis, late
        self.lost = 0  # messages that did not arrive
        self.losing = 0  # that shall not
        self.holding = b""  # what they hold
        self.forgotten: list[asyncio.Event] = []  # `passes` of the connections that carry nothing any more
        self.writers: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.passes = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._run(self.passes.set)
        self.server = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(5)
        self.port: int = self.server.sockets[0].getsockname()[1]
        self.url = f"redis://relay:{RELAY_PASSWORD}@127.0.0.1:{self.port}"
        self.worker_url = f"redis://worker:{WORKER_PASSWORD}@127.0.0.1:{self.port}"

    # --- what it does to the network ---------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Nothing passes any more; no socket ends."""
        self._run(self.passes.clear)

    def mend(self) -> None:
        """What was said meanwhile arrives."""
        self._run(self.passes.set)

    def forget(self) -> None:
        """As a firewall does it: the connections there are carry nothing any more, and none is told. New ones work."""
        self._run(self._forget)

    def reset(self) -> None:
        """All connections end at once; new ones are let through."""
        self._run(self._reset)

    def lose(self, number: int = 1, holding: bytes = b"") -> None:
        """The next published messages to this relay that hold these bytes do not arrive."""
        self.holding = holding
        self.losing += number

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(5)
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

    def _forget(self) -> None:
        self.passes.clear()
        self.forgotten.append(self.passes)
        self.passes = asyncio.Event()
        self.passes.set()

    async def _end(self) -> None:
        self.server.close()
        self._reset()
        for waited in (self.passes, *self.forgotten):
            waited.set()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=1)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.redis.port)
            both = {writer, there_writer}
            self.writers |= both
            passes = self.passes
            asks = asyncio.create_task(self._pass(reader, there_writer, passes))
            with suppress(OSError):
                await self._pass_replies(there_reader, writer, passes)
            asks.cancel()
            self.writers -= both
            there_writer.transport.abort()
        writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await passes.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _pass_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        """Reply by reply, so that one can be left out."""
        waiting = b""
        while data := await reader.read(65_536):
            waiting += data
            await passes.wait()
            while end := reply_end(waiting, 0):
                reply, waiting = waiting[:end], waiting[end:]
                if self.losing and reply.startswith(MESSAGE) and self.holding in reply:
                    self.losing -= 1
                    self.lost += 1
                elif self.late:
                    self.loop.call_later(self.late, write, writer, reply)
                else:
                    writer.write(reply)
            await writer.drain()


def write(writer: asyncio.StreamWriter, reply: bytes) -> None:
    """Pass a late reply on, if somebody still reads."""
    if not writer.is_closing():
        writer.write(reply)


def reply_end(data: bytes, start: int) -> int:
    """Where the reply (RESP 2 or 3) that begins at `start` ends; 0 if it is not there as a whole."""
    line_end = data.find(b"\r\n", start) + 2
    if line_end == 1:
        return 0
    kind, line = data[start : start + 1], data[start + 1 : line_end - 2]
    if kind in BULKS:
        end = line_end + int(line) + 2 if int(line) >= 0 else line_end
        return end if end <= len(data) else 0
    parts = int(line) if kind in LISTS else 2 * int(line) if kind in MAPS else 0
    end = line_end
    for _ in range(parts):
        end = end and reply_end(data, end)
    return end
