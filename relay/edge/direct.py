"""The direct path's socket, on picows (extension.py says what the path is)."""

from __future__ import annotations

import asyncio
from typing import Any

from relay.core.limits import Limits
from relay.edge.extension import Receiver
from relay.edge.gather import Gather
from relay.edge.picows_link import SMALL, Link, framed


class DirectSocket:
    """Frames out, gathered by turn and bounded; the other half of the consumer's Connection."""

    __slots__ = ("connections", "frames", "gather", "limits", "link", "over", "receiver", "written")

    receiver: Receiver

    def __init__(self, link: Link, gather: Gather, limits: Limits, connections: set[Any]) -> None:
        self.link, self.gather, self.limits = link, gather, limits
        self.connections = connections  # of the server, which shuts them down
        connections.add(self)
        self.frames: list[bytes] = []
        self.written = 0  # the last turn in which anything was; see Link.send_now
        self.over: asyncio.TimerHandle | None = None  # runs while more than `unsent_kept` waits

    def give_to(self, receiver: Receiver) -> None:
        """From now on `receiver` is told what comes."""
        self.receiver, link = receiver, self.link
        link.on_text, link.on_binary, link.on_closed = receiver.on_text, receiver.on_binary, self.gone
        link.on_writable = ignore  # what waits is bounded by bytes and time

    def send(self, frame: bytes) -> None:
        """Write a frame; after a close it is dropped."""
        if self.link.closing:
            return
        turn = self.gather.number
        if self.gather.at_once() and self.written != turn and not self.frames and len(frame) <= SMALL:
            self.written = turn
            self.link.send_now(frame)
            self._look()
        else:
            if not self.frames:
                self.gather.wait(self)
            self.frames.append(_shared.framed(frame))

    def flush(self) -> None:
        """Write what was gathered, and see what waits."""
        frames, self.frames = self.frames, []
        if not frames or self.link.closing:
            return
        self.written = self.gather.number
        self.link.write(frames[0] if len(frames) == 1 else b"".join(frames))
        self._look()

    def close(self, code: int, reason: str) -> None:
        """Close behind what was sent."""
        self.flush()
        self.link.close(code, reason)

    def shutdown(self) -> None:
        """The server stops."""
        self.close(1012, "")

    def _look(self) -> None:
        """See what waits for the peer to read."""
        waiting = self.link.waiting()
        if waiting <= self.limits.unsent_kept:
            return
        if waiting > self.limits.unsent:
            self.gather.loop.call_soon(self.receiver.on_slow)
        elif self.over is None:
            self.over = self.gather.loop.call_later(self.limits.unsent_seconds, self._still_over)

    def _still_over(self) -> None:
        self.over = None
        if not self.link.closing and self.link.waiting() > self.limits.unsent_kept:
            self.receiver.on_slow()

    def gone(self, code: int, reason: str) -> None:
        """The socket has ended."""
        self.connections.discard(self)
        self.frames = []
        if self.over is not None:
            self.over.cancel()
        self.receiver.on_gone()


def ignore(writable: bool) -> None:
    """Nothing to do."""


class Shared:
    """The last frame's bytes: a fan-out frames its message once for all subscribers."""

    __slots__ = ("bytes", "text")

    def __init__(self) -> None:
        self.text = self.bytes = b""

    def framed(self, text: bytes) -> bytes:
        if text is not self.text:
            self.text, self.bytes = text, framed(text)
        return self.bytes


_shared = Shared()
