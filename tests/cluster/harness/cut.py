"""A network between a program and Redis that can be slow, and lose single messages, too."""

import asyncio

from tests.cluster.harness.network import Network
from tests.cluster.harness.redis import RELAY_PASSWORD, WORKER_PASSWORD, Redis

MESSAGE = (b"*3\r\n$7\r\nmessage\r\n", b">3\r\n$7\r\nmessage\r\n")  # RESP 2 and 3: what a subscriber is told
BULKS, LISTS, MAPS = b"$=!", b"*>~", b"%|"


class Cut(Network):
    """Give a relay its `url`, or worker and beat their `worker_url`."""

    def __init__(self, redis: Redis, *, late: float = 0.0) -> None:
        """`late`: s that each reply takes longer."""
        self.late = late
        self.lost = 0  # messages that did not arrive
        self.losing = 0  # that shall not
        self.holding = b""  # what they hold
        super().__init__(redis.port)
        self.url = f"redis://relay:{RELAY_PASSWORD}@127.0.0.1:{self.port}"
        self.worker_url = f"redis://worker:{WORKER_PASSWORD}@127.0.0.1:{self.port}"

    def lose(self, number: int = 1, holding: bytes = b"") -> None:
        """The next published messages to this relay that hold these bytes do not arrive."""
        self.holding = holding
        self.losing += number

    async def _pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reply by reply, so that one can be left out."""
        waiting = b""
        while data := await reader.read(65_536):
            waiting += data
            await self.passes.wait()
            if writer in self.forgotten:
                waiting = b""
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
