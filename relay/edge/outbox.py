"""Frames on their way to one socket of any ASGI server, in order and bounded."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from relay.core.limits import Limits
from relay.core.statistics import Traffic
from relay.core.unsent import Backlog, Unsent

ABORT_AFTER = 10.0  # s that a closed socket has to read what is buffered and the close (GP-5C)


class Outbox:
    """`send` and `close` return at once; one task at a time writes. `slow` is told once, when too much waits (4430)."""

    __slots__ = (
        "abort", "backlog", "closing", "frames", "limits", "loop", "over", "pause_for", "size", "slow", "task",
        "traffic", "unsent", "write",
    )  # fmt: skip

    def __init__(
        self,
        write: Callable[[dict[str, Any]], Awaitable[None]],
        limits: Limits,
        slow: Callable[[], None],
        abort: Callable[[], object],
    ) -> None:
        self.write, self.limits, self.slow, self.abort = write, limits, slow, abort
        self.loop = asyncio.get_running_loop()
        self.frames: deque[bytes] = deque()
        self.traffic = Traffic()
        self.size = 0  # bytes of them
        self.unsent: Callable[[], Unsent] | None = None  # where what waits for the peer is counted
        self.backlog: Backlog | None = None  # what was sent since `frames` was last empty
        self.over: asyncio.TimerHandle | None = None  # runs while more than `unsent_kept` waits
        self.closing: tuple[int, str] | None = None
        self.pause_for = 0.0  # s that nothing more is to be received
        self.task: asyncio.Task[None] | None = None

    def send(self, frame: bytes) -> None:
        """Queue a frame; after `close` it is dropped."""
        if self.closing is not None:
            return
        self.frames.append(frame)
        self.size += len(frame)
        self._hold(frame)
        self.traffic.frames_out += 1
        self.traffic.bytes_out += len(frame)
        self._begin()
        if self.size > self.limits.unsent_kept and self.over is None:
            self.over = self.loop.call_later(self.limits.unsent_seconds, self._still_over)
        if self.size > self.limits.unsent:
            self.loop.call_soon(self.slow)  # never from inside a fan-out

    def _hold(self, frame: bytes) -> None:
        """Count what waits for the peer, and have those cut that are slowest when it is too much."""
        if self.backlog is None:
            if self.unsent is None:
                return
            self.backlog = Backlog(self.unsent(), self.cut)
        self.backlog.add(frame, self.size)
        if self.backlog.unsent.is_too_much():
            self.loop.call_soon(self.backlog.unsent.relieve)  # never from inside a fan-out

    def _let_go(self) -> None:
        backlog, self.backlog = self.backlog, None
        if backlog is not None:
            backlog.end()

    def cut(self) -> None:
        """End the connection at once, with all that waits for it."""
        self.slow()
        self.end()
        self.abort()

    def close(self, code: int, reason: str) -> None:
        """Close the socket behind what is queued; a reader that does not read is cut off."""
        if self.closing is None:
            self.closing = (code, reason)
            self._begin()
            self.loop.call_later(ABORT_AFTER, self.abort)

    def pause(self, seconds: float) -> None:
        """Let whoever receives for this socket wait so many seconds before the next message."""
        self.pause_for = seconds

    def take_pause(self) -> float:
        """Return the seconds to wait, and forget them."""
        seconds, self.pause_for = self.pause_for, 0.0
        return seconds

    def end(self) -> None:
        """The socket is gone: nothing more is written."""
        self._drop()
        if self.over is not None:
            self.over.cancel()
        if self.task is not None:
            self.task.cancel()

    def _drop(self) -> None:
        self.closing = self.closing or (1006, "")
        self._let_go()
        self.frames.clear()
        self.size = 0

    def _begin(self) -> None:
        if self.task is None:
            self.task = self.loop.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self.frames:
                frame = self.frames.popleft()
                await self.write({"type": "websocket.send", "text": frame.decode()})
                self.size -= len(frame)
            self._let_go()
            if self.closing is not None:
                await self.write({"type": "websocket.close", "code": self.closing[0], "reason": self.closing[1]})
        except Exception:  # servers differ in how they say that the socket is gone; its disconnect follows
            self._drop()
        finally:
            self.task = None

    def _still_over(self) -> None:
        self.over = None
        if self.size > self.limits.unsent_kept:
            self.slow()
