"""The direct path's socket, on picows (extension.py says what the path is)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from relay.core.limits import Limits
from relay.core.unsent import Backlog, Unsent
from relay.edge.extension import Receiver
from relay.edge.framing import framed
from relay.edge.gather import Gather, Writer
from relay.edge.picows_link import Link

MOST_UNTOLD = 16_384  # bytes that may wait for a socket before it is looked at
MOST_JOINED: Final = 4_096  # bytes of frames, on average, that are joined in one write; a join copies


class DirectSocket(Writer):
    """Frames out, gathered by turn and bounded; the other half of the consumer's Connection."""

    __slots__ = (
        "backlog", "connections", "frames", "full", "gather", "limits", "link", "over", "paused", "receiver", "traffic",
        "unsent", "write",
    )  # fmt: skip

    def __init__(self, link: Link, gather: Gather, limits: Limits, connections: set[Any]) -> None:
        self.link, self.gather, self.limits, self.traffic = link, gather, limits, gather.traffic
        self.connections = connections  # of the server, which shuts them down
        connections.add(self)
        self.receiver: Receiver | None = None
        self.write: Callable[[bytes], None] = link.write
        self.frames: list[bytes] = []
        self.unsent: Callable[[], Unsent] | None = None  # where what waits for the peer is counted
        self.backlog: Backlog | None = None  # what was written while `full`
        self.full = False  # the event loop holds more for this socket than it likes to
        self.over: asyncio.TimerHandle | None = None  # runs while more than `unsent_kept` waits
        self.paused: asyncio.Handle | None = None  # will read on

    def give_to(self, receiver: Receiver) -> None:
        """From now on `receiver` is told what comes."""
        self.receiver, link = receiver, self.link
        link.on_text, link.on_binary, link.on_closed = receiver.on_text, receiver.on_binary, self.gone
        link.on_control = receiver.on_control
        link.on_writable = self.may_write
        link.tell_when_full(min(self.limits.unsent_kept, MOST_UNTOLD))

    def send(self, frame: bytes) -> None:
        """Write a frame; after a close it is dropped."""
        gather, frames = self.gather, self.frames
        at_once = gather.at_once()
        self.traffic.frames_out += 1
        self.traffic.bytes_out += len(frame)
        if not frames:
            if at_once:
                self._write(_shared.framed(frame))
                return
            gather.wait(self)
        frames.append(_shared.framed(frame))

    def flush(self) -> None:
        """Write what was gathered."""
        frames = self.frames
        if frames:
            self.frames = []
            data = frames[0] if len(frames) == 1 else b"".join(frames)
            if len(data) <= MOST_JOINED * len(frames):
                self._write(data)
            else:
                for frame in frames:
                    self._write(frame)

    def _write(self, data: bytes) -> None:
        if not self.link.closing:
            self.write(data)
            if self.full:
                self._hold(data)
                self._look()

    def pause(self, seconds: float) -> None:
        """Read nothing for so many seconds, or with 0 until the loop's next turn; the last call counts."""
        if self.link.closing:
            return
        if self.paused is None:
            self.link.read_in_portions()
            self.link.pause_reading()
        else:
            self.paused.cancel()
        loop = self.gather.loop
        self.paused = loop.call_later(seconds, self.read_on) if seconds else loop.call_soon(self.read_on)

    def read_on(self) -> None:
        """Read again what the peer sends."""
        if self.paused is not None:
            self.paused.cancel()
            self.paused = None
            self.link.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Close behind what was sent."""
        self.read_on()  # or the peer's close would never be read
        self.flush()
        self.link.close(code, reason)

    def shutdown(self) -> None:
        """The server stops."""
        self.close(1012, "")

    def may_write(self, writable: bool) -> None:
        """The event loop holds little for this socket, or much."""
        self.full = not writable
        if writable:
            self._let_go()

    def _hold(self, data: bytes) -> None:
        """Count what waits for the peer, and have those cut that are slowest when it is too much."""
        if self.backlog is None:
            if self.unsent is None:
                return
            self.backlog = Backlog(self.unsent(), self.cut)
        self.backlog.add(data, self.link.waiting())
        if self.backlog.unsent.is_too_much():
            self.gather.loop.call_soon(self.backlog.unsent.relieve)  # never from inside a fan-out

    def _let_go(self) -> None:
        backlog, self.backlog = self.backlog, None
        if backlog is not None:
            backlog.end()

    def cut(self) -> None:
        """End the connection at once, with all that waits for it."""
        self.slow()
        self.link.abort()

    def _look(self) -> None:
        """See what waits for the peer to read."""
        waiting = self.link.waiting()
        if waiting <= self.limits.unsent_kept:
            return
        if waiting > self.limits.unsent:
            self.gather.loop.call_soon(self.slow)
        elif self.over is None:
            self.over = self.gather.loop.call_later(self.limits.unsent_seconds, self._still_over)

    def _still_over(self) -> None:
        self.over = None
        if not self.link.closing and self.link.waiting() > self.limits.unsent_kept:
            self.slow()

    def slow(self) -> None:
        """The peer reads too slowly, or not at all."""
        if self.receiver is not None:
            self.receiver.on_slow()

    def gone(self, code: int, reason: str) -> None:
        """The socket has ended."""
        self.connections.discard(self)
        self.frames = []
        self._let_go()
        self.unsent = None  # it leads to the connection, and back to here
        for timer in (self.over, self.paused):
            if timer is not None:
                timer.cancel()
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.on_gone()


class Shared:
    """The last frame's bytes: a fan-out frames its message once for all subscribers."""

    __slots__ = ("bytes", "text")

    def __init__(self) -> None:
        self.text = b""
        self.bytes = framed(self.text)

    def framed(self, text: bytes) -> bytes:
        if text is not self.text:
            self.text, self.bytes = text, framed(text)
        return self.bytes


_shared: Final = Shared()
